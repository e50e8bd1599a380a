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
def app_context() -> Desk:
    """Four champions one after the other; v4 sits in the seat, v3 is the way back."""
    app_context = Desk()
    for name in ("jan", "feb", "mar", "apr"):
        app_context.house.data(30_000, name)
        app_context.house.work()
        app_context.house.clock.advance(7 * DAY)
    assert app_context.house.champion == 4
    return app_context


def test_resolving_with_a_name_takes_a_lease(app_context: Desk):
    assert app_context.run("resolve", MODEL).stdout.startswith(f"{MODEL} v4 (champion) ")
    assert "Nobody uses" in app_context.run("consumers", MODEL).stderr
    app_context.run("resolve", MODEL, "--consumer", "checkout-service")
    app_context.run("resolve", f"{MODEL}@v2", "--consumer", "reports", "--lease", "7d")
    rows = {row["name"]: row for row in app_context.json("consumers", MODEL)["consumers"]}
    assert (rows["checkout-service"]["version"], rows["checkout-service"]["pinned"]) == (4, False)
    assert (rows["reports"]["version"], rows["reports"]["pinned"]) == (2, True)
    app_context.house.clock.advance(2 * DAY)
    assert [r["name"] for r in app_context.json("consumers", MODEL)["consumers"]] == ["reports"]
    app_context.run("consumers", MODEL, "--release", "reports")
    assert app_context.json("consumers", MODEL)["consumers"] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flight-delay@nobody", "has no alias called nobody"),
        ("flight-delay@v99", "has no version 99"),
        ("unheard-of", "has no version"),
    ],
)
def test_what_does_not_resolve_is_said(app_context: Desk, name: str, said: str):
    assert said in app_context.run("resolve", name, code=3).stderr


def test_a_model_with_versions_and_no_champion_says_so():
    app_context = Desk()
    app_context.house.data(30_000, "jan")
    app_context.house.work(FAILS)
    assert "has versions, and no champion yet" in app_context.run("resolve", MODEL, code=3).stderr


def test_a_deprecated_version_is_served_until_nobody_needs_it(app_context: Desk):
    app_context.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "45d")
    app_context.enforce(LEAVES)
    app_context.house.clock.advance(31 * DAY)
    app_context.house.tick()
    assert app_context.house.states() == {
        1: "deprecated",
        2: "deprecated",
        3: "superseded",
        4: "champion",
    }
    why = app_context.json("decisions", "--verdict", "deprecate")[-1]["reason"]
    assert why.startswith("v1 is deprecated: not among the 1 newest and superseded for 30d")
    assert "still served, needed by consumers: reports" in why
    said = app_context.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "45d")
    assert "v1 is deprecated and may be gone from" in said.stderr
    app_context.house.clock.advance(31 * DAY)
    app_context.house.tick()
    assert app_context.house.states()[1] == "deprecated"
    assert app_context.house.states()[2] == "archived"
    blocked = app_context.run("consumers", MODEL).stdout
    assert "blocks archiving" in blocked
    assert "stays, needed by consumer reports" in blocked
    assert (
        "v1 is deprecated and stays, needed by consumers: reports"
        in app_context.run("explain", MODEL).stdout
    )
    app_context.house.clock.advance(20 * DAY)
    app_context.house.tick()
    assert app_context.house.states()[1] == "archived"
    assert "is archived" in app_context.run("resolve", f"{MODEL}@1", code=3).stderr


def test_deprecating_tells_the_consumers(app_context: Desk):
    app_context.enforce(LEAVES + "notify: {deprecated: [ml-feed]}\n")
    app_context.run("resolve", f"{MODEL}@2", "--consumer", "reports")
    app_context.run("deprecate", MODEL, "2", *WHY, "--sunset", "2013-09-01")
    with app_context.house.store.read() as tx:
        letters = tx.outbox.due("notify")
    assert {str(letter.payload["channel"]) for letter in letters} == {"ml-feed", "consumer:reports"}
    assert all(
        "may be gone from 2013-09-01" in str(letter.payload["sentence"]) for letter in letters
    )


def test_a_firm_date_is_the_end_of_every_lease(app_context: Desk):
    app_context.enforce(
        LEAVES.replace("after: 30d", "after: 30d, unless: [serving, rollback_target]")
    )
    app_context.run("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "90d")
    app_context.run("consumers", MODEL, "--release", "reports")
    app_context.house.clock.advance(31 * DAY)
    app_context.house.tick()
    row = app_context.json("resolve", f"{MODEL}@1", "--consumer", "reports", "--lease", "90d")
    assert row["lease_until"] == row["sunset"]
    app_context.house.clock.advance(30 * DAY)
    assert (
        "was to be left by"
        in app_context.run("resolve", f"{MODEL}@1", "--consumer", "reports", code=3).stderr
    )
    app_context.house.tick()
    assert app_context.house.states()[1] == "archived"


def test_an_alias_moves_and_keeps_its_version(app_context: Desk):
    app_context.run("alias", MODEL, "canary", "v2", *WHY)
    assert " v2 (superseded) " in app_context.run("resolve", f"{MODEL}@canary").stdout
    app_context.run("deprecate", MODEL, "2", *WHY)
    refused = app_context.run("archive", MODEL, "2", *WHY, code=4).stderr
    assert "v2 cannot be archived: needed by serving: alias canary" in refused
    app_context.run("alias", MODEL, "canary", "--remove", *WHY)
    assert (
        "has no alias called canary" in app_context.run("resolve", f"{MODEL}@canary", code=3).stderr
    )
    app_context.run("archive", MODEL, "2", *WHY)
    moves = app_context.json("alias", MODEL, "canary", "--history")["aliases"]
    assert [(m["version"], m["actor"]) for m in moves] == [(2, "person:ana"), (None, "person:ana")]
    assert "v2 is archived" in app_context.run(
        "alias", MODEL, "canary", "v2", *WHY, code=4
    ).stderr.replace("canary cannot point at v2: it is archived", "v2 is archived")


def test_the_champion_is_no_alias(app_context: Desk):
    said = app_context.run("alias", MODEL, "champion", "v2", *WHY, code=2).stderr
    assert "the champion moves by promotion and rollback only" in said


def test_an_alias_lets_go_of_a_version_that_is_rejected(app_context: Desk):
    app_context.run("alias", MODEL, "production", "v4", *WHY)
    app_context.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert app_context.house.states()[4] == "rejected"
    assert "has no alias" in app_context.run("resolve", f"{MODEL}@production", code=3).stderr


def test_archiving_is_undone_step_by_step(app_context: Desk):
    app_context.run("deprecate", MODEL, "1", *WHY)
    app_context.run("archive", MODEL, "1", *WHY)
    assert app_context.house.states()[1] == "archived"
    app_context.run("revive", MODEL, "1", *WHY)
    assert app_context.house.states()[1] == "deprecated"
    app_context.run("revive", MODEL, "1", *WHY)
    assert app_context.house.states()[1] == "superseded"
    assert (
        "neither archived nor deprecated"
        in app_context.run("revive", MODEL, "1", *WHY, code=4).stderr
    )
    assert app_context.json("verify", "--all")["whole"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("archive", MODEL, "1"), "it is superseded, deprecate it first"),
        (("archive", MODEL, "4"), "it is champion"),
        (("deprecate", MODEL, "4"), "it is champion, not superseded"),
        (("promote", MODEL, "9"), "it is not in play"),
    ],
)
def test_what_cannot_be_done_is_said(app_context: Desk, words: tuple[str, ...], said: str):
    assert said in app_context.run(*words, *WHY, code=4).stderr


def test_an_archived_version_is_never_promoted(app_context: Desk):
    app_context.run("deprecate", MODEL, "1", *WHY)
    app_context.run("archive", MODEL, "1", *WHY)
    assert (
        "v1 cannot be promoted: it is archived"
        in app_context.run("promote", MODEL, "1", *WHY, code=4).stderr
    )
    assert app_context.house.champion == 4


def test_the_way_back_is_not_archived(app_context: Desk):
    app_context.run("deprecate", MODEL, "3", *WHY)
    said = app_context.run("archive", MODEL, "3", *WHY, code=4).stderr
    assert "rollback_target: a rollback would restore it" in said


def test_a_version_on_hold_stays(app_context: Desk):
    app_context.run("hold", MODEL, "--version", "1", "--reason", "audit", "--yes")
    app_context.run("deprecate", MODEL, "1", *WHY)
    assert (
        "needed by hold: person:ana, audit"
        in app_context.run("archive", MODEL, "1", *WHY, code=4).stderr
    )
    app_context.run("release", MODEL, "--version", "1", "--reason", "done", "--yes")
    app_context.run("archive", MODEL, "1", *WHY)
    # Automatic promotion never rested.
    app_context.house.data(30_000, "may")
    app_context.house.work()
    assert app_context.house.champion == 5


def test_a_rollback_to_a_deprecated_version_ends_its_sunset(app_context: Desk):
    app_context.run("deprecate", MODEL, "3", *WHY)
    app_context.run("rollback", MODEL, "--reason", "it harms", "--force", "--yes")
    assert app_context.json("resolve", MODEL)["sunset"] is None
    assert app_context.json("verify", "--all")["whole"]


def test_tags_and_descriptions(app_context: Desk):
    app_context.run("tag", f"{MODEL}@champion", "team=arrivals", "tier=1")
    assert app_context.run("tag", f"{MODEL}@4").stdout.splitlines() == ["team=arrivals", "tier=1"]
    app_context.run("tag", MODEL, "owner=ana")
    app_context.run("tag", f"{MODEL}@4", "--remove", "tier")
    assert app_context.json("tag", f"{MODEL}@4")["tags"] == {"team": "arrivals"}
    app_context.run("describe", MODEL, "Minutes of delay.")
    assert app_context.run("describe", MODEL).stdout == "Minutes of delay.\n"
    assert "has no value" in app_context.run("tag", MODEL, "owner", code=2).stderr


def test_ten_thousand_tags_are_refused_in_one_sentence(app_context: Desk):
    many = [f"t{number}=x" for number in range(10_000)]
    said = app_context.run("tag", f"{MODEL}@4", *many, code=4).stderr
    assert "would bear 10,000 tags, and 1,000 are the most" in said
    assert app_context.run("tag", f"{MODEL}@4").stdout == ""


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
def test_versions_are_found(app_context: Desk, filters: tuple[str, ...], numbers: list[int]):
    app_context.run("tag", f"{MODEL}@4", "team=arrivals")
    app_context.run("tag", f"{MODEL}@2", "team=departures")
    app_context.run("alias", MODEL, "canary", "v3", *WHY)
    assert [row["version"] for row in app_context.json("search", *filters)] == numbers
    assert [row["version"] for row in app_context.json("versions", MODEL, *filters)] == numbers


def test_a_comparison_that_is_none_is_said(app_context: Desk):
    assert "compares no metric" in app_context.run("search", "--metric", "mae", code=2).stderr
