"""resolve, consumers, alias, tag, describe, deprecate, archive, revive, hold --version, search."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.command import POLICY, Desk
from tests.support.house import FAILS, MODEL

LEAVES = POLICY + "deprecate: {keep: 1, after: 30d}\n"
DAY = timedelta(days=1)
WHY = ("--reason", "it is old", "--yes")


@pytest.fixture
def desk() -> Desk:
    """Four champions one after the other; v4 sits in the seat, v3 is the way back."""
    desk = Desk()
    for name in ("jan", "feb", "mar", "apr"):
        desk.house.data(30_000, name)
        desk.house.work()
        desk.house.clock.advance(7 * DAY)
    assert desk.house.champion == 4
    return desk


def test_resolving_with_a_name_takes_a_lease(desk: Desk):
    assert desk.run("resolve", MODEL).stdout.startswith(f"{MODEL} v4 (champion) ")
    assert "Nobody uses" in desk.run("consumers", MODEL).stderr
    desk.run("resolve", MODEL, "--consumer", "checkout-service")
    desk.run("resolve", f"{MODEL}@v2", "--consumer", "reports", "--lease", "7d")
    rows = {row["name"]: row for row in desk.json("consumers", MODEL)["consumers"]}
    assert (rows["checkout-service"]["version"], rows["checkout-service"]["pinned"]) == (4, False)
    assert (rows["reports"]["version"], rows["reports"]["pinned"]) == (2, True)
    desk.house.clock.advance(2 * DAY)
    assert [r["name"] for r in desk.json("consumers", MODEL)["consumers"]] == ["reports"]
    desk.run("consumers", MODEL, "--release", "reports")
    assert desk.json("consumers", MODEL)["consumers"] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flight-delay@nobody", "has no alias called nobody"),
        ("flight-delay@v99", "has no version 99"),
        ("unheard-of", "has no version"),
    ],
)
def test_what_does_not_resolve_is_said(desk: Desk, name: str, said: str):
    assert said in desk.run("resolve", name, code=3).stderr


def test_a_model_with_versions_and_no_champion_says_so():
    desk = Desk()
    desk.house.data(30_000, "jan")
    desk.house.work(FAILS)
    assert "has versions, and no champion yet" in desk.run("resolve", MODEL, code=3).stderr


def test_a_deprecated_version_is_served_until_nobody_needs_it(desk: Desk):
    desk.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "45d")
    desk.enforce(LEAVES)
    desk.house.clock.advance(31 * DAY)
    desk.house.tick()
    assert desk.house.states() == {1: "deprecated", 2: "deprecated", 3: "superseded", 4: "champion"}
    why = desk.json("decisions", "--verdict", "deprecate")[-1]["reason"]
    assert why.startswith("v1 is deprecated: not among the 1 newest and superseded for 30d")
    assert "still served, needed by consumers: reports" in why
    said = desk.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "45d")
    assert "v1 is deprecated and may be gone from" in said.stderr
    desk.house.clock.advance(31 * DAY)
    desk.house.tick()
    assert desk.house.states()[1] == "deprecated"
    assert desk.house.states()[2] == "archived"
    blocked = desk.run("consumers", MODEL).stdout
    assert "blocks archiving" in blocked
    assert "stays, needed by consumer reports" in blocked
    assert (
        "v1 is deprecated and stays, needed by consumers: reports"
        in desk.run("explain", MODEL).stdout
    )
    desk.house.clock.advance(20 * DAY)
    desk.house.tick()
    assert desk.house.states()[1] == "archived"
    assert "is archived" in desk.run("resolve", f"{MODEL}@1", code=3).stderr


def test_deprecating_tells_the_consumers(desk: Desk):
    desk.enforce(LEAVES + "notify: {deprecated: [ml-feed]}\n")
    desk.run("resolve", f"{MODEL}@2", "--consumer", "reports")
    desk.run("deprecate", MODEL, "2", *WHY, "--sunset", "2013-09-01")
    with desk.house.store.read() as tx:
        letters = tx.outbox.due("notify")
    assert {str(letter.payload["channel"]) for letter in letters} == {"ml-feed", "consumer:reports"}
    assert all(
        "may be gone from 2013-09-01" in str(letter.payload["sentence"]) for letter in letters
    )


def test_a_firm_date_is_the_end_of_every_lease(desk: Desk):
    desk.enforce(LEAVES.replace("after: 30d", "after: 30d, unless: [serving, rollback_target]"))
    desk.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "90d")
    desk.run("consumers", MODEL, "--release", "reports")
    desk.house.clock.advance(31 * DAY)
    desk.house.tick()
    row = desk.json("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "90d")
    assert row["lease_until"] == row["sunset"]
    desk.house.clock.advance(30 * DAY)
    assert (
        "was to be left by"
        in desk.run("resolve", f"{MODEL}@1", "--consumer", "reports", code=3).stderr
    )
    desk.house.tick()
    assert desk.house.states()[1] == "archived"


def test_an_alias_moves_and_keeps_its_version(desk: Desk):
    desk.run("alias", MODEL, "canary", "v2", *WHY)
    assert " v2 (superseded) " in desk.run("resolve", f"{MODEL}@canary").stdout
    desk.run("deprecate", MODEL, "2", *WHY)
    refused = desk.run("archive", MODEL, "2", *WHY, code=4).stderr
    assert "v2 cannot be archived: needed by serving: alias canary" in refused
    desk.run("alias", MODEL, "canary", "--remove", *WHY)
    assert "has no alias called canary" in desk.run("resolve", f"{MODEL}@canary", code=3).stderr
    desk.run("archive", MODEL, "2", *WHY)
    moves = desk.json("alias", MODEL, "canary", "--history")["aliases"]
    assert [(m["version"], m["actor"]) for m in moves] == [(2, "person:ana"), (None, "person:ana")]
    assert "v2 is archived" in desk.run(
        "alias", MODEL, "canary", "v2", *WHY, code=4
    ).stderr.replace("canary cannot point at v2: it is archived", "v2 is archived")


def test_the_champion_is_no_alias(desk: Desk):
    said = desk.run("alias", MODEL, "champion", "v2", *WHY, code=2).stderr
    assert "the champion moves by promotion and rollback only" in said


def test_an_alias_lets_go_of_a_version_that_is_rejected(desk: Desk):
    desk.run("alias", MODEL, "production", "v4", *WHY)
    desk.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert desk.house.states()[4] == "rejected"
    assert "has no alias" in desk.run("resolve", f"{MODEL}@production", code=3).stderr


def test_archiving_is_undone_step_by_step(desk: Desk):
    desk.run("deprecate", MODEL, "1", *WHY)
    desk.run("archive", MODEL, "1", *WHY)
    assert desk.house.states()[1] == "archived"
    desk.run("revive", MODEL, "1", *WHY)
    assert desk.house.states()[1] == "deprecated"
    desk.run("revive", MODEL, "1", *WHY)
    assert desk.house.states()[1] == "superseded"
    assert "neither archived nor deprecated" in desk.run("revive", MODEL, "1", *WHY, code=4).stderr
    assert desk.json("verify", "--all")["whole"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("archive", MODEL, "1"), "it is superseded, deprecate it first"),
        (("archive", MODEL, "4"), "it is champion"),
        (("deprecate", MODEL, "4"), "it is champion, not superseded"),
        (("promote", MODEL, "9"), "it is not in play"),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, words: tuple[str, ...], said: str):
    assert said in desk.run(*words, *WHY, code=4).stderr


def test_an_archived_version_is_never_promoted(desk: Desk):
    desk.run("deprecate", MODEL, "1", *WHY)
    desk.run("archive", MODEL, "1", *WHY)
    assert (
        "v1 cannot be promoted: it is archived"
        in desk.run("promote", MODEL, "1", *WHY, code=4).stderr
    )
    assert desk.house.champion == 4


def test_the_way_back_is_not_archived(desk: Desk):
    desk.run("deprecate", MODEL, "3", *WHY)
    said = desk.run("archive", MODEL, "3", *WHY, code=4).stderr
    assert "rollback_target: it is who a rollback would seat" in said


def test_a_version_on_hold_stays(desk: Desk):
    desk.run("hold", MODEL, "--version", "1", "--reason", "audit", "--yes")
    desk.run("deprecate", MODEL, "1", *WHY)
    assert (
        "needed by hold: person:ana, audit" in desk.run("archive", MODEL, "1", *WHY, code=4).stderr
    )
    desk.run("release", MODEL, "--version", "1", "--reason", "done", "--yes")
    desk.run("archive", MODEL, "1", *WHY)
    # Automatic promotion never rested.
    desk.house.data(30_000, "may")
    desk.house.work()
    assert desk.house.champion == 5


def test_a_rollback_to_a_deprecated_version_ends_its_sunset(desk: Desk):
    desk.run("deprecate", MODEL, "3", *WHY)
    desk.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert desk.json("resolve", MODEL)["sunset"] is None
    assert desk.json("verify", "--all")["whole"]


def test_tags_and_descriptions(desk: Desk):
    desk.run("tag", f"{MODEL}@champion", "team=arrivals", "tier=1")
    assert desk.run("tag", f"{MODEL}@4").stdout.splitlines() == ["team=arrivals", "tier=1"]
    desk.run("tag", MODEL, "owner=ana")
    desk.run("tag", f"{MODEL}@4", "--remove", "tier")
    assert desk.json("tag", f"{MODEL}@4")["tags"] == {"team": "arrivals"}
    desk.run("describe", MODEL, "Minutes of delay.")
    assert desk.run("describe", MODEL).stdout == "Minutes of delay.\n"
    assert "has no value" in desk.run("tag", MODEL, "owner", code=2).stderr


def test_ten_thousand_tags_are_refused_in_one_sentence(desk: Desk):
    many = [f"t{number}=x" for number in range(10_000)]
    said = desk.run("tag", f"{MODEL}@4", *many, code=4).stderr
    assert "would bear 10,000 tags, and 1,000 are the most" in said
    assert desk.run("tag", f"{MODEL}@4").stdout == ""


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (("--state", "superseded"), [3, 2, 1]),
        (("--metric", "mae<=14"), [4, 3, 2, 1]),
        (("--metric", "mae<14"), []),
        (("--metric", "auc>0"), []),
        (("--tag", "team=arrivals"), [4]),
        (("--tag", "team"), [4, 2]),
        (("--tag", "team", "--state", "superseded"), [2]),
        (("--alias", "canary"), [3]),
        (("--data", "2"), [2]),
        (("--since", "10d"), [4]),
        (("--limit", "2"), [4, 3]),
    ],
)
def test_versions_are_found(desk: Desk, filters: tuple[str, ...], numbers: list[int]):
    desk.run("tag", f"{MODEL}@4", "team=arrivals")
    desk.run("tag", f"{MODEL}@2", "team=departures")
    desk.run("alias", MODEL, "canary", "v3", *WHY)
    assert [row["version"] for row in desk.json("search", *filters)] == numbers
    assert [row["version"] for row in desk.json("versions", MODEL, *filters)] == numbers


def test_a_comparison_that_is_none_is_said(desk: Desk):
    assert "compares no metric" in desk.run("search", "--metric", "mae", code=2).stderr
