"""signal metric, rollback --dry-run, drill: the champion's own figures, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.command import POLICY, Desk
from tests.support.house import MODEL

HOUR = timedelta(hours=1)
WATCHES = POLICY + "rollback: {when: [{error_rate: 1%}], then: resume, drill: 7d}\n"


@pytest.fixture
def app_context() -> Desk:
    """Three champions one after the other; v3 sits in the seat."""
    app_context = Desk()
    for name in ("jan", "feb", "mar"):
        app_context.house.data(30_000, name)
        app_context.house.work()
        app_context.house.clock.advance(timedelta(days=31))
    assert app_context.house.champion == 3
    return app_context


def tell(app_context: Desk, value: float, rows: int = 1000, *more: str) -> None:
    app_context.run(
        "signal", "metric", MODEL, "-m", "error_rate", "--value", str(value), "-n", str(rows), *more
    )
    app_context.house.work()
    app_context.house.clock.advance(HOUR)


def test_figures_add_up_until_they_show_harm(app_context: Desk):
    app_context.enforce(WATCHES)
    for _ in range(30):
        tell(app_context, 0.008)
    assert app_context.house.champion == 3
    figures = 0
    while app_context.house.champion == 3 and figures < 60:
        tell(app_context, 0.02)
        figures += 1
    assert app_context.house.champion == 2
    assert figures > 1, "one figure alone shows nothing here"
    why = app_context.json("decisions", "--verdict", "rollback")[0]["reason"]
    assert "rolled back from v3 to v2: error_rate beyond 0.01" in why
    assert "the odds that it is beyond the threshold are" in why
    assert app_context.json("verify", "--all")["whole"]


def test_the_same_figure_told_twice_counts_once(app_context: Desk):
    app_context.enforce(WATCHES)
    for _ in range(2):
        tell(app_context, 0.5, 200, "--key", "minute-1", "--version", "3")
    with app_context.house.store.read() as tx:
        assert sum(span.rows for span in tx.measures.of(MODEL, 3, "error_rate")) in {0, 200}


def test_a_second_rollback_within_a_week_lets_promotion_rest(app_context: Desk):
    app_context.enforce(WATCHES)
    tell(app_context, 0.5)
    assert (app_context.house.champion, hold_of(app_context)) == (2, "")
    tell(app_context, 0.5)
    assert app_context.house.champion == 1
    assert hold_of(app_context).startswith("after 2 rollbacks in 7d")


def test_an_automatic_rollback_is_the_system_s_act_and_names_who_posted_the_figure(
    app_context: Desk,
):
    app_context.enforce(
        WATCHES.replace("then: resume", "then: hold") + "notify: {rolled_back: [oncall]}\n"
    )
    app_context.actor = "ben"
    tell(app_context, 0.5)
    (row,) = app_context.json("decisions", "--verdict", "rollback")
    poster = app_context.json("signals", "--kind", "metric")[0]["actor"]
    assert poster.startswith("person:")
    assert (row["actor"], row["caused_by"]) == ("system", [poster])
    posted = f"the figure was posted by {poster}"
    assert posted in app_context.run("explain", str(row["id"])).stdout
    assert f"(system; {posted})" in app_context.run("audit", MODEL, "--format", "markdown").stdout
    with app_context.house.store.read() as tx:
        held = tx.models.state(MODEL).hold
        told = [letter.payload for letter in tx.outbox.due("notify", 10)]
        assert held is not None
        assert held.actor == "system"
        assert any(posted in str(payload["sentence"]) for payload in told)
    assert app_context.json("verify", "--all")["whole"]


def hold_of(app_context: Desk) -> str:
    with app_context.house.store.read() as tx:
        held = tx.models.state(MODEL).hold
    return held.reason if held else ""


def test_what_was_rolled_back_is_never_promoted_again(app_context: Desk):
    app_context.enforce(WATCHES)
    tell(app_context, 0.5)
    refused = app_context.run(
        "promote", MODEL, "3", "--reason", "I like it", "--yes", code=4
    ).stderr
    assert "v3 cannot be promoted: it is rejected" in refused


def test_a_dry_run_proves_the_target_and_moves_nothing(app_context: Desk):
    said = app_context.run("rollback", MODEL, "--dry-run", "--wait", "0").stdout
    assert "verifies that v2 still answers; champion v3 stays" in said or "waits for" in said
    app_context.house.work()
    assert app_context.house.champion == 3
    newest = app_context.json("decisions")[0]["reason"]
    assert newest.startswith("a rollback to v2 would work")
    assert newest.endswith("; champion v3 stays")


def test_a_drill_says_when_the_way_back_was_last_proven(app_context: Desk):
    assert "was never checked" in app_context.run("drill", MODEL, "--last", code=1).stdout
    app_context.run("drill", MODEL, "--wait", "0")
    app_context.house.work()
    assert "was last checked 2013-" in app_context.run("drill", MODEL, "--last").stdout
    assert app_context.house.champion == 3


def test_a_drill_whose_target_does_not_load_takes_the_next_and_says_so(app_context: Desk):
    app_context.run("drill", MODEL, "--wait", "0")
    app_context.house.tick()
    run = app_context.house.claim()
    assert run is not None
    app_context.house.fail(run, "the artifact is damaged")
    app_context.house.work()
    newest = app_context.json("decisions")[0]["reason"]
    assert newest.startswith("a rollback to v1 would work")
    assert "v2 (the artifact is damaged) could not be loaded" in newest


def test_drills_on_schedule(app_context: Desk):
    app_context.enforce(WATCHES)
    app_context.house.work()
    first = app_context.json("drill", MODEL, "--last")["last"]
    assert first["version"] == 2
    app_context.house.clock.advance(timedelta(days=6))
    app_context.house.work()
    assert app_context.json("drill", MODEL, "--last")["last"] == first
    app_context.house.clock.advance(timedelta(days=1, minutes=1))
    app_context.house.work()
    assert app_context.json("drill", MODEL, "--last")["last"]["run"] != first["run"]
    assert app_context.house.champion == 3
