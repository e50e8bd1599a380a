"""What every book of reviews does."""

from __future__ import annotations

from typing import Any

import pytest

from controller.domain.errors import IncumbentError
from controller.ports import ReviewRecord, Store
from tests.support.makers import AT
from tests.support.stores import Bench

SOURCE = "/repo#main:rules"


def record(digest: str, **changes: Any) -> ReviewRecord:
    values: dict[str, Any] = {
        "digest": digest,
        "source": SOURCE,
        "revision": f"r-{digest}",
        "proven": True,
        "recorded_at": AT,
        "reason": "It is proven.",
        "evidence": '{"a":"ü"}',
    }
    return ReviewRecord(**(values | changes))


def test_a_record_is_kept_as_it_was_written(store: Store):
    with store.begin() as tx:
        tx.reviews.put(record("d1"))
        tx.reviews.put(record("d1", reason="Another sentence."))
    with store.read() as tx:
        assert tx.reviews.get("d1") == record("d1")
        assert tx.reviews.get("d2") is None
        assert tx.reviews.latest() == [record("d1")]


def test_the_revision_that_was_proven_last_is_in_force(store: Store):
    with store.begin() as tx:
        assert tx.reviews.newest_proven(SOURCE) is None
        tx.reviews.put(record("d1"))
        tx.reviews.put(record("d2"))
        tx.reviews.put(record("d3", proven=False))
        tx.reviews.put(record("d4", source="/other#main:rules"))
    with store.read() as tx:
        assert tx.reviews.newest_proven(SOURCE) == record("d2")
        assert [r.digest for r in tx.reviews.latest(SOURCE)] == ["d3", "d2", "d1"]
        assert [r.digest for r in tx.reviews.latest(limit=2)] == ["d4", "d3"]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE reviews SET evidence = '{}'", "DELETE FROM reviews"],
    ids=["update", "delete"],
)
def test_the_database_refuses_to_change_evidence(database: Bench, statement: str):
    with database.store.begin() as tx:
        tx.reviews.put(record("d1"))
    with pytest.raises(Exception, match="the evidence of a review is never") as raised:
        database.sql(statement)
    assert not isinstance(raised.value, IncumbentError)
