"""Reading snapshots one after the other gives the same values as reading each alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain import codec
from controller.domain.errors import IntegrityError
from controller.domain.snapshot import Snapshot
from controller.service.plan.snapshots import Snapshots
from tests.support.house import FAILS, PASSES, UNDECIDED, House


def test_known_evaluations_are_read_once_and_are_the_same():
    house = House()
    house.review(house.rules)
    for month, outcome in enumerate((PASSES, UNDECIDED, UNDECIDED, FAILS)):
        house.data(30_000, f"month-{month}")
        house.work(outcome)
        house.clock.advance(timedelta(days=31))
    texts = [record.snapshot for record in house.records()]

    snapshots = Snapshots()
    found = [snapshots.read(text) for text in texts]

    assert found == [codec.load_value(Snapshot, text) for text in texts]
    held = {id(v.evaluation) for s in found for v in s.versions if v.evaluation is not None}
    named = {v.number for s in found for v in s.versions if v.evaluation is not None}
    assert len(held) == len(named) > 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"versions": 3}', '{"versions": [{"evaluation": {}}]}']
)
def test_what_is_no_snapshot_is_named(text: str):
    with pytest.raises(IntegrityError, match="a stored"):
        Snapshots().read(text)
