"""signal metric, rollback --dry-run, drill: the champion's own figures, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.command import POLICY, Desk
from tests.support.house import MODEL

HOUR = timedelta(hours=1)
WATCHES = POLICY + "rollback: {when: [{error_rate: 1%}], then: resume, drill: 7d}\n"


@pytest.fixture
def desk() -> Desk:
    """Three champions one after the other; v3 sits in the seat."""
    desk = Desk()
    for name in ("jan", "feb", "mar"):
        desk.house.data(30_000, name)
        desk.house.work()
        desk.house.clock.advance(timedelta(days=31))
    assert desk.house.champion == 3
    return desk


def tell(desk: Desk, value: float, rows: int = 1000, *more: str) -> None:
    desk.run(
        "signal", "metric", MODEL, "-m", "error_rate", "--value", str(value), "-n", str(rows), *more
    )
    desk.house.work()
    desk.house.clock.advance(HOUR)


def test_figures_add_up_until_they_show_harm(desk: Desk):
    desk.enforce(WATCHES)
    for _ in range(30):
        tell(desk, 0.008)
    assert desk.house.champion == 3
    figures = 0
    while desk.house.champion == 3 and figures < 60:
        tell(desk, 0.02)
        figures += 1
    assert desk.house.champion == 2
    assert figures > 1, "one figure alone shows nothing here"
    why = desk.json("decisions", "--verdict", "rollback")[0]["reason"]
    assert "rolled back from v3 to v2: error_rate beyond 0.01" in why
    assert "the odds that it is beyond are" in why
    assert desk.json("verify", "--all")["whole"]


def test_the_same_figure_told_twice_counts_once(desk: Desk):
    desk.enforce(WATCHES)
    for _ in range(2):
        tell(desk, 0.5, 200, "--key", "minute-1", "--version", "3")
    with desk.house.store.read() as tx:
        assert sum(span.rows for span in tx.measures.of(MODEL, 3, "error_rate")) in {0, 200}


def test_a_second_rollback_within_a_week_lets_promotion_rest(desk: Desk):
    desk.enforce(WATCHES)
    tell(desk, 0.5)
    assert (desk.house.champion, hold_of(desk)) == (2, "")
    tell(desk, 0.5)
    assert desk.house.champion == 1
    assert hold_of(desk).startswith("after 2 rollbacks in 7d")


def test_an_automatic_rollback_is_the_system_s_act_and_names_who_posted_the_figure(desk: Desk):
    desk.enforce(
        WATCHES.replace("then: resume", "then: hold") + "notify: {rolled_back: [oncall]}\n"
    )
    desk.actor = "ben"
    tell(desk, 0.5)
    (row,) = desk.json("decisions", "--verdict", "rollback")
    poster = desk.json("signals", "--kind", "metric")[0]["actor"]
    assert poster.startswith("person:")
    assert (row["actor"], row["caused_by"]) == ("system", [poster])
    posted = f"the figure was posted by {poster}"
    assert posted in desk.run("explain", str(row["id"])).stdout
    assert f"(system; {posted})" in desk.run("audit", MODEL, "--format", "markdown").stdout
    with desk.house.store.read() as tx:
        held = tx.models.state(MODEL).hold
        told = [letter.payload for letter in tx.outbox.due("notify", 10)]
        assert held is not None
        assert held.actor == "system"
        assert any(posted in str(payload["sentence"]) for payload in told)
    assert desk.json("verify", "--all")["whole"]


def hold_of(desk: Desk) -> str:
    with desk.house.store.read() as tx:
        held = tx.models.state(MODEL).hold
    return held.reason if held else ""


def test_what_was_rolled_back_is_never_promoted_again(desk: Desk):
    desk.enforce(WATCHES)
    tell(desk, 0.5)
    refused = desk.run("promote", MODEL, "3", "--reason", "I like it", "--yes", code=4).stderr
    assert "v3 cannot be promoted: it is rejected" in refused


def test_a_dry_run_proves_the_target_and_moves_nothing(desk: Desk):
    said = desk.run("rollback", MODEL, "--dry-run", "--wait", "0").stdout
    assert "proves that v2 still answers, champion v3 stays" in said or "waits for" in said
    desk.house.work()
    assert desk.house.champion == 3
    newest = desk.json("decisions")[0]["reason"]
    assert newest.startswith("v2 answered in ")
    assert newest.endswith("and would take the seat back; champion v3 stays")


def test_a_drill_says_when_the_way_back_was_last_proven(desk: Desk):
    assert "was never proven" in desk.run("drill", MODEL, "--last", code=1).stdout
    desk.run("drill", MODEL, "--wait", "0")
    desk.house.work()
    assert "was last proven 2013-" in desk.run("drill", MODEL, "--last").stdout
    assert desk.house.champion == 3


def test_a_drill_whose_target_does_not_load_takes_the_next_and_says_so(desk: Desk):
    desk.run("drill", MODEL, "--wait", "0")
    desk.house.tick()
    run = desk.house.claim()
    assert run is not None
    desk.house.fail(run, "the artifact is damaged")
    desk.house.work()
    newest = desk.json("decisions")[0]["reason"]
    assert newest.startswith("v1 answered in ")
    assert "v2 (the artifact is damaged) could not be loaded" in newest


def test_drills_on_schedule(desk: Desk):
    desk.enforce(WATCHES)
    desk.house.work()
    first = desk.json("drill", MODEL, "--last")["last"]
    assert first["version"] == 2
    desk.house.clock.advance(timedelta(days=6))
    desk.house.work()
    assert desk.json("drill", MODEL, "--last")["last"] == first
    desk.house.clock.advance(timedelta(days=1, minutes=1))
    desk.house.work()
    assert desk.json("drill", MODEL, "--last")["last"]["run"] != first["run"]
    assert desk.house.champion == 3
