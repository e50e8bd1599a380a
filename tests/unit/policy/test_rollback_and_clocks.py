"""A rollback that was asked for while the clock was wrong still comes to its end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.signals import SignalKind
from tests.support.house import House


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=3), timedelta(days=365)])
def test_a_rollback_ends_though_the_clock_was_ahead_when_it_was_asked_for(ahead: timedelta):
    house = House()
    for month in ("jan", "feb"):
        house.data(30_000, month)
        house.work()
        house.clock.advance(timedelta(days=31))
    assert house.champion == 2
    house.clock.advance(ahead)
    house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="late labels look bad")
    house.clock.advance(-ahead)
    for _ in range(5):
        house.tick()
        run = house.claim()
        if run is None:
            break
        house.finish(run)
    assert house.champion == 1
