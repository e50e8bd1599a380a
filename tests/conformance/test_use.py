"""What every store does about use: aliases, consumers, holds, removals, tags."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.decisions import (
    KeepVersion,
    LetGo,
    RecordFigure,
    RemoveArtifact,
    SetAlias,
    SetSunset,
)
from controller.domain.errors import Conflict, IllegalTransition, StaleGeneration, UserError
from controller.domain.use import Consumer
from controller.domain.versions import VersionState
from controller.ports import Store, Tag, Transaction
from tests.support.makers import AT, HOUR, MODEL, decide, enter, move, seat

S = VersionState


def four(tx: Transaction) -> None:
    """v1 and v2 deprecated, v3 the way back, v4 champion."""
    for number in range(1, 5):
        enter(tx, number)
        seat(tx, number, generation=number - 1, previous=number - 1 or None)
    for number in (1, 2):
        move(tx, number, S.SUPERSEDED, S.DEPRECATED)


def point(tx: Transaction, version: int | None, generation: int = 0, previous: int | None = None):
    action = SetAlias(
        alias="canary", version=version, generation=generation, previous=previous, reason="try"
    )
    return tx.aliases.set(MODEL, action, decision=1, at=AT, actor="ana")


def lease(version: int, name: str = "checkout", until: timedelta = HOUR, at=AT) -> Consumer:
    return Consumer(
        model=MODEL, name=name, version=version, selector="champion", since=at, seen_at=at,
        until=at + until,
    )  # fmt: skip


def test_an_alias_moves_by_compare_and_set(store: Store):
    with store.begin() as tx:
        four(tx)
        assert point(tx, 4).generation == 1
        assert point(tx, 3, 1, 4).generation == 2
    with pytest.raises(StaleGeneration, match="generation 2 with v3"), store.begin() as tx:
        point(tx, 4, 1, 4)
    with store.begin() as tx:
        point(tx, None, 2, 3)
        assert tx.aliases.of(MODEL) == []
        point(tx, 4, 3, None)
    with store.read() as tx:
        assert [(a.name, a.version, a.generation) for a in tx.aliases.of(MODEL)] == [
            ("canary", 4, 4)
        ]
        assert [(m.version, m.previous) for m in tx.aliases.moves(MODEL, "canary")] == [
            (4, None), (3, 4), (None, 3), (4, None),
        ]  # fmt: skip
        assert tx.aliases.moves(MODEL)[0].actor == "ana"


@pytest.mark.parametrize("state", [S.REJECTED, S.ARCHIVED])
def test_an_alias_points_at_what_lives(store: Store, state: VersionState):
    with store.begin() as tx:
        enter(tx, 1)
        move(tx, 1, S.CANDIDATE, S.REJECTED)
        if state is S.ARCHIVED:
            move(tx, 1, S.REJECTED, state)
    with pytest.raises(IllegalTransition), store.begin() as tx:
        point(tx, 1)
    with pytest.raises(Conflict), store.begin() as tx:
        point(tx, 9)


@pytest.mark.parametrize("name", ["champion", "latest", "v3", "3", "", "a b", "../x", "x" * 256])
def test_names_that_no_alias_can_have(store: Store, name: str):
    with store.begin() as tx:
        enter(tx, 1)
    action = SetAlias(alias=name, version=1, generation=0, previous=None, reason="")
    with pytest.raises(UserError), store.begin() as tx:
        tx.aliases.set(MODEL, action, decision=1, at=AT, actor="ana")


def test_names_resolve_in_one_way(store: Store):
    with store.begin() as tx:
        four(tx)
        point(tx, 3)
    with store.read() as tx:
        found = {
            name: (r.version.number, r.generation)
            for name in ("champion", "canary", "2", "v2")
            if (r := tx.aliases.resolve(MODEL, name))
        }
        assert found == {"champion": (4, 4), "canary": (3, 1), "2": (2, 0), "v2": (2, 0)}
        for nothing in ("nobody", "9", "9" * 30, "v"):
            assert tx.aliases.resolve(MODEL, nothing) is None
        assert tx.aliases.resolve("other", "champion") is None


def test_a_lease_is_renewed_and_counted(store: Store):
    with store.begin() as tx:
        four(tx)
        first = tx.consumers.renew(lease(4))
        assert (first.resolves, first.downloads) == (1, 0)
        later = tx.consumers.renew(lease(4, at=AT + HOUR))
        assert (later.resolves, later.since, later.until) == (2, AT, AT + 2 * HOUR)
        kept = tx.consumers.renew(lease(4, until=timedelta(minutes=1)), downloads=1)
        assert (kept.downloads, kept.until) == (1, AT + 2 * HOUR)
        tx.consumers.renew(lease(3, "search"))
    with store.read() as tx:
        live = tx.consumers.of(MODEL, live_at=AT + HOUR)
        assert [(one.version, one.name) for one in live] == [(4, "checkout")]
        assert len(tx.consumers.of(MODEL)) == 2
        assert [one.version for one in tx.consumers.by_name("search")] == [3]
    with store.begin() as tx:
        assert tx.consumers.release(MODEL, "checkout", AT) == 1
        assert tx.consumers.release(MODEL, "checkout", AT) == 0


def test_a_consumer_of_no_version_is_refused(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
    with pytest.raises(Conflict), store.begin() as tx:
        tx.consumers.renew(lease(9))


NEEDED = {
    "alias": lambda tx: point(tx, 1),
    "consumer": lambda tx: tx.consumers.renew(lease(1)),
    "hold": lambda tx: tx.keeps.keep(
        MODEL, KeepVersion(version=1, reason="audit", actor="ana"), decision=1, at=AT
    ),
}


@pytest.mark.parametrize("need", NEEDED)
def test_what_is_needed_is_not_archived(store: Store, need: str):
    with store.begin() as tx:
        four(tx)
        NEEDED[need](tx)
    with pytest.raises(IllegalTransition), store.begin() as tx:
        move(tx, 1, S.DEPRECATED, S.ARCHIVED)
    with store.begin() as tx:
        move(tx, 2, S.DEPRECATED, S.ARCHIVED)


def test_a_lease_that_ran_out_holds_nothing(store: Store):
    with store.begin() as tx:
        four(tx)
        tx.consumers.renew(lease(1))
        move(tx, 1, S.DEPRECATED, S.ARCHIVED, at=AT + HOUR)


def test_the_way_back_is_not_archived(store: Store):
    with store.begin() as tx:
        four(tx)
        move(tx, 3, S.SUPERSEDED, S.DEPRECATED)
    with pytest.raises(IllegalTransition, match="a rollback would seat"), store.begin() as tx:
        move(tx, 3, S.DEPRECATED, S.ARCHIVED)
    with store.begin() as tx:
        tx.registry.mark_verified(MODEL, 2, decision=1, at=AT)
    # The newest one and the newest that is proven are both ways back.
    with pytest.raises(IllegalTransition, match="a rollback would seat"), store.begin() as tx:
        move(tx, 2, S.DEPRECATED, S.ARCHIVED)
    with store.begin() as tx:
        move(tx, 1, S.DEPRECATED, S.ARCHIVED)


def test_a_version_with_an_alias_is_not_rejected(store: Store):
    with store.begin() as tx:
        four(tx)
        enter(tx, 5)
        point(tx, 5)
    with pytest.raises(IllegalTransition), store.begin() as tx:
        move(tx, 5, S.CANDIDATE, S.REJECTED)


def test_a_hold_is_lifted_once(store: Store):
    with store.begin() as tx:
        four(tx)
        NEEDED["hold"](tx)
    with pytest.raises(Conflict, match="on hold already"), store.begin() as tx:
        NEEDED["hold"](tx)
    let_go = LetGo(version=1, reason="done", actor="ana")
    with store.begin() as tx:
        assert [keep.reason for keep in tx.keeps.of(MODEL)] == ["audit"]
        tx.keeps.let_go(MODEL, let_go, decision=1, at=AT)
        assert tx.keeps.of(MODEL) == []
        assert tx.keeps.of(MODEL, lifted=True)[0].lifted_at == AT
    with pytest.raises(Conflict, match="not on hold"), store.begin() as tx:
        tx.keeps.let_go(MODEL, let_go, decision=1, at=AT)


def test_sunset_and_removal(store: Store):
    with store.begin() as tx:
        four(tx)
        date = SetSunset(version=1, at=AT + HOUR, firm=True, reason="old")
        tx.keeps.sunset(MODEL, date, decision=1)
        (version,) = tx.registry.versions(MODEL, numbers=(1,))
        assert (version.sunset, version.sunset_firm) == (AT + HOUR, True)
        move(tx, 1, S.DEPRECATED, S.ARCHIVED)
        assert [v.number for v in tx.keeps.users_of("d1")] == [1]
    gone = RemoveArtifact(version=1, digest="d1", reason="old")
    with pytest.raises(Conflict), store.begin() as tx:
        tx.keeps.remove(MODEL, RemoveArtifact(version=2, digest="d2", reason=""), decision=1, at=AT)
    with store.begin() as tx:
        tx.keeps.remove(MODEL, gone, decision=decide(tx), at=AT)
        assert [(r.version, r.done_at) for r in tx.keeps.removals(undone=True)] == [(1, None)]
        tx.keeps.removed(MODEL, 1, AT)
        assert tx.keeps.removals(undone=True) == []
        assert tx.keeps.users_of("d1") == []
    with pytest.raises(Conflict), store.begin() as tx:
        tx.keeps.remove(MODEL, gone, decision=1, at=AT)
    with pytest.raises(IllegalTransition, match="artifact is gone"), store.begin() as tx:
        move(tx, 1, S.ARCHIVED, S.DEPRECATED)


def test_what_was_rejected_never_comes_back(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        move(tx, 1, S.CANDIDATE, S.REJECTED)
        move(tx, 1, S.REJECTED, S.ARCHIVED)
    with pytest.raises(IllegalTransition, match="never comes back"), store.begin() as tx:
        move(tx, 1, S.ARCHIVED, S.DEPRECATED)


def test_an_archived_version_comes_back(store: Store):
    with store.begin() as tx:
        four(tx)
        move(tx, 1, S.DEPRECATED, S.ARCHIVED)
        move(tx, 1, S.ARCHIVED, S.DEPRECATED)
        move(tx, 1, S.DEPRECATED, S.SUPERSEDED)
        assert tx.registry.versions(MODEL, numbers=(1,))[0].state is S.SUPERSEDED


def note(name: str, value: str, version: int = 1) -> Tag:
    return Tag(model=MODEL, version=version, name=name, value=value, actor="ana", at=AT)


def test_tags_and_descriptions(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        for tag in (
            note("team", "fraud"),
            note("team", "risk"),
            note("ü", ""),
            note("kind", "tree", 0),
        ):
            tx.notes.tag(tag)
        tx.notes.describe(MODEL, 1, "the first", actor="ana", at=AT)
        tx.notes.describe(MODEL, 0, "delays", actor="ana", at=AT)
    with store.begin() as tx:
        assert tx.notes.tags(MODEL) == {0: {"kind": "tree"}, 1: {"team": "risk", "ü": ""}}
        assert tx.notes.tags(MODEL, (1,)) == {1: {"team": "risk", "ü": ""}}
        assert tx.notes.tagged("team") == [(MODEL, 1)]
        assert tx.notes.tagged("team", "fraud") == []
        assert tx.notes.descriptions(MODEL) == {0: "delays", 1: "the first"}
        assert tx.notes.untag(MODEL, 1, "team")
        assert not tx.notes.untag(MODEL, 1, "team")
        tx.notes.describe(MODEL, 1, "", actor="ana", at=AT)
        assert tx.notes.descriptions(MODEL, (1,)) == {}
    with pytest.raises(Conflict), store.begin() as tx:
        tx.notes.tag(note("x", "y", 9))


def test_figures_add_up_hour_by_hour(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        for minutes, value, std in ((0, 0.5, None), (30, 1.5, 2.0), (90, 3.0, None)):
            told = RecordFigure(
                version=1, metric="mae", value=value, rows=10, std=std,
                at=AT + timedelta(minutes=minutes), signal=1,
            )  # fmt: skip
            tx.measures.add(MODEL, told, decision=1)
    with store.read() as tx:
        first, second = tx.measures.of(MODEL, 1, "mae")
        assert (first.figures, first.rows, first.total, first.within) == (2, 20, 20.0, 40.0)
        assert (first.spread_rows, first.plain, first.squares) == (10, 2.0, 2.5)
        assert second.index == first.index + 1
        assert tx.measures.of(MODEL, 1, "rmse") == []
