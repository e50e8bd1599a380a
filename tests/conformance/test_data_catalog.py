"""What every data catalog does."""

from __future__ import annotations

import pytest

from controller.domain.errors import NotFound
from controller.domain.snapshot import DataView
from controller.ports import Store
from tests.support.makers import AT, HOUR, MODEL, batch


def test_batches_are_numbered_once(store: Store):
    with store.begin() as tx:
        first = tx.data.add(MODEL, [batch("a", "1"), batch("b", "1"), batch("a", "1")], AT)
    with store.begin() as tx:
        second = tx.data.add(
            MODEL, [batch("b", "1"), batch("c", "1", rows=None, seen_at=AT - HOUR)], AT + HOUR
        )
        other = tx.data.add("other", [batch("a", "1")], AT)
    assert [(b.uri, b.sequence, b.seen_at) for b in first] == [("a", 1, AT), ("b", 2, AT)]
    assert [(b.uri, b.sequence, b.seen_at) for b in second] == [("c", 3, AT - HOUR)]
    assert [b.sequence for b in other] == [1]
    with store.read() as tx:
        assert tx.data.batches(MODEL) == [*first, *second]


def test_a_changed_file_takes_the_place_of_the_old(store: Store):
    with store.begin() as tx:
        tx.data.add(MODEL, [batch("a", "1"), batch("b", "1")], AT)
        before = tx.data.view(MODEL)
        tx.data.add(MODEL, [batch("a", "2", rows=30)], AT)
        after = tx.data.view(MODEL)
        assert [(b.uri, b.digest) for b in tx.data.batches(MODEL)] == [("b", "1"), ("a", "2")]
        assert [b.digest for b in tx.data.batches(MODEL, through=2)] == ["1", "1"]
        assert tx.data.batches(MODEL, through=0) == []
    assert (before.through, before.batches, before.rows) == (2, 2, 20)
    assert (after.through, after.batches, after.rows) == (3, 2, 40)
    assert before.digest != after.digest


def test_what_is_quarantined_is_in_no_snapshot(store: Store):
    with store.begin() as tx:
        tx.data.add(MODEL, [batch("a", "1"), batch("a", "2"), batch("b", "1", rows=None)], AT)
        whole = tx.data.view(MODEL)
    with store.begin() as tx:
        tx.data.quarantine(MODEL, 2, "Nulls in carrier.")
        assert [b.sequence for b in tx.data.batches(MODEL)] == [1, 3]
        (kept,) = tx.data.quarantined(MODEL)
        assert (kept.sequence, kept.quarantined) == (2, "Nulls in carrier.")
        view = tx.data.view(MODEL)
        assert (view.through, view.batches, view.rows) == (3, 2, 10)
        tx.data.quarantine(MODEL, 2, "")
        assert [b.sequence for b in tx.data.batches(MODEL)] == [2, 3]
        assert tx.data.view(MODEL) == whole
    with pytest.raises(NotFound, match="no batch 9"), store.begin() as tx:
        tx.data.quarantine(MODEL, 9, "Why not.")


def test_a_batch_may_come_quarantined(store: Store):
    with store.begin() as tx:
        (kept,) = tx.data.add(
            MODEL, [batch("a", "1", quarantined="Cut in half.", details={"x": [1]})], AT
        )
        assert (kept.sequence, kept.details) == (1, {"x": [1]})
        assert tx.data.batches(MODEL) == []
        assert tx.data.view(MODEL) == DataView(through=1)


def test_no_data(store: Store):
    with store.read() as tx:
        assert tx.data.view(MODEL) == DataView()
        assert tx.data.batches(MODEL) == []
        assert tx.data.cursor(MODEL) is None


def test_the_cursor_is_kept(store: Store):
    with store.begin() as tx:
        tx.data.set_cursor(MODEL, "1")
        tx.data.add(MODEL, [batch("a", "1")], AT)
        tx.data.set_cursor(MODEL, "2")
    with store.read() as tx:
        assert tx.data.cursor(MODEL) == "2"
        assert tx.data.view(MODEL).batches == 1
