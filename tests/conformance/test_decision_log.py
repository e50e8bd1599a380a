"""What every decision log does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.canonical import GENESIS
from controller.domain.chain import hash_of
from controller.ports import Query, Store
from tests.support.chain import find_break
from tests.support.makers import AT, MODEL, decide, new_decision


def test_a_decision_comes_back_as_it_was_given(store: Store):
    given = new_decision(actor="person:ana")
    with store.begin() as tx:
        record = tx.decisions.record(given)
    with store.read() as tx:
        assert tx.decisions.get(record.id) == record
        assert tx.decisions.get(2) is None
    assert (record.id, record.prev_hash, record.hash) == (1, GENESIS, hash_of(record))
    assert (record.model, record.decided_at, record.rules) == (MODEL, AT, given.rules)
    assert (record.snapshot, record.decision) == (given.snapshot, given.decision)
    assert record.actor == "person:ana"


def test_numbers_have_no_gaps_even_after_a_rollback(store: Store):
    with store.begin() as tx:
        decide(tx)
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        assert decide(tx) == 2
        raise ZeroDivisionError
    with store.begin() as tx:
        assert [decide(tx), decide(tx, "other")] == [2, 3]
    with store.read() as tx:
        records = list(tx.decisions.walk())
        assert [r.id for r in records] == [1, 2, 3]
        assert find_break(records, tx.decisions.head()) is None


def test_the_head_of_an_empty_log(store: Store):
    with store.read() as tx:
        assert tx.decisions.head() == (0, GENESIS)
        assert list(tx.decisions.walk()) == []
        assert find_break([], tx.decisions.head()) is None


def test_a_walk_goes_through_all(store: Store):
    with store.begin() as tx:
        for n in range(450):
            decide(tx, "even" if n % 2 else "odd")
    with store.read() as tx:
        assert [r.id for r in tx.decisions.walk()] == list(range(1, 451))
        assert [r.id for r in tx.decisions.walk(start=447)] == [447, 448, 449, 450]
        assert [r.id for r in tx.decisions.walk(start=440, model="odd")] == [
            441,
            443,
            445,
            447,
            449,
        ]


FILTERS = {
    "all, newest first": (Query(), [4, 3, 2, 1]),
    "model": (Query(model="other"), [4]),
    "verdict": (Query(kinds=("train", "promote")), [3, 2]),
    "since is inclusive": (Query(since=AT + timedelta(hours=2)), [4, 3]),
    "until is exclusive": (Query(until=AT + timedelta(hours=1)), [1]),
    "limit": (Query(limit=2), [4, 3]),
    "before is exclusive": (Query(before=3), [2, 1]),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_find(store: Store, query: Query, expected: list[int]):
    with store.begin() as tx:
        for n, verdict in enumerate(["none", "train", "promote", "none"]):
            model = "other" if n == 3 else MODEL
            new = new_decision(model, verdict, decided_at=AT + timedelta(hours=n))
            tx.decisions.record(new)
    with store.read() as tx:
        assert [r.id for r in tx.decisions.find(query)] == expected


CHANGES = {
    "model": {"model": "other"},
    "time": {"decided_at": AT + timedelta(microseconds=1)},
    "snapshot": {"snapshot": "{}"},
    "decision": {"decision": "{}"},
    "actor": {"actor": "person:eve"},
    "hash": {"hash": "0" * 64},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_record_breaks_the_chain(store: Store, change: dict[str, object]):
    with store.begin() as tx:
        for _ in range(3):
            decide(tx)
        records = list(tx.decisions.walk())
    records[1] = replace(records[1], **change)  # type: ignore[arg-type]
    found = find_break(records)
    assert found is not None
    assert found.decision == 2


def test_a_missing_record_breaks_the_chain(store: Store):
    with store.begin() as tx:
        for _ in range(3):
            decide(tx)
        records, head = list(tx.decisions.walk()), tx.decisions.head()
    middle = find_break([records[0], records[2]], head)
    end = find_break(records[:2], head)
    swapped = find_break([records[0], replace(records[2], id=2)], head)
    assert middle is not None
    assert middle.decision == 2
    assert end is not None
    assert "ends at decision 2" in end.sentence
    assert swapped is not None
    assert "prev_hash" in swapped.sentence
