"""What every keeper of schedules does."""

from __future__ import annotations

from controller.ports import Store
from tests.support.makers import AT, HOUR, MODEL


def test_the_next_time_is_kept(store: Store):
    with store.begin() as tx:
        assert tx.schedules.next_due(MODEL, "weekly") is None
        tx.schedules.set_next(MODEL, "weekly", AT, "0 3 * * 1 UTC")
        tx.schedules.set_next(MODEL, "weekly", AT + HOUR, "0 4 * * 1 UTC")
    with store.read() as tx:
        assert tx.schedules.next_due(MODEL, "weekly") == (AT + HOUR, "0 4 * * 1 UTC")


def test_what_the_policy_no_longer_has_is_forgotten(store: Store):
    with store.begin() as tx:
        for model in (MODEL, "other"):
            for trigger in ("daily", "weekly"):
                tx.schedules.set_next(model, trigger, AT, "x")
    with store.begin() as tx:
        tx.schedules.forget(MODEL, ["weekly"])
        tx.schedules.forget("other", [])
    with store.read() as tx:
        left = [
            (model, trigger)
            for model in (MODEL, "other")
            for trigger in ("daily", "weekly")
            if tx.schedules.next_due(model, trigger)
        ]
    assert left == [(MODEL, "weekly")]
