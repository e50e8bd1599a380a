"""The simulated clock visits each moment once, in order, with everything that is due then done before it is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.policy.triggers import ScheduleTrigger
from controller.service.replay.simulate import in_order, play, schedule_fires
from controller.service.rules.next_due import next_due
from tests.support.house import policy

START = datetime(2026, 3, 27, 12, tzinfo=UTC)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


@dataclass
class Sleeper:
    """Wants to be woken at the given times, and writes down what it did."""

    wakes: list[datetime]
    now: datetime = START
    happened: list[str] = field(default_factory=list)
    told: list[tuple[datetime, tuple[str, ...]]] = field(default_factory=list)

    @property
    def wake_at(self) -> datetime | None:
        return min((wake for wake in self.wakes if wake > self.now), default=None)

    def decide(self) -> None:
        self.told.append((self.now, tuple(self.happened)))
        self.happened.clear()

    def event(self, at: int, name: str) -> tuple[datetime, Callable[[], object]]:
        return hours(at), partial(self.happened.append, name)


def test_events_of_one_time_happen_before_it_is_decided_and_sleep_ends_between_them():
    model = Sleeper(wakes=[hours(1), hours(3), hours(5), hours(9)])
    first, second = [model.event(2, "a"), model.event(3, "b")], [model.event(3, "c")]

    visited = list(play(model, in_order(first, second), hours(5)))

    assert model.told == [
        (hours(1), ()),
        (hours(2), ("a",)),
        (hours(3), ("b", "c")),
        (hours(5), ()),
    ]
    assert visited == [at for at, _ in model.told]


@given(st.lists(st.integers(1, 40)), st.lists(st.integers(1, 40)), st.integers(40, 50))
def test_every_moment_is_visited_once_and_in_order(events: list[int], wakes: list[int], last: int):
    model = Sleeper(wakes=[hours(at) for at in wakes])

    visited = list(play(model, [model.event(at, "") for at in sorted(events)], hours(last)))

    assert visited == [hours(at) for at in sorted({*events, *wakes})]
    assert sum(len(names) for _, names in model.told) == len(events)


SCHEDULES = st.one_of(
    st.builds(lambda m: {"every": timedelta(minutes=m)}, st.integers(20, 5_000)),
    st.sampled_from(["0 * * * *", "30 2 * * *", "0 3 * * 1", "*/20 9-17 * * *"]).map(
        lambda line: {"cron": line, "timezone": "Europe/Berlin"}
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(SCHEDULES, max_size=3), st.integers(0, 60))
def test_schedules_fire_at_all_their_due_times_in_order(given: list[dict[str, object]], long: int):
    triggers = tuple(ScheduleTrigger(name=f"s{n}", **one) for n, one in enumerate(given))  # type: ignore[arg-type]

    found = list(schedule_fires(policy(triggers=triggers), START, hours(long)))

    assert [at for at, _ in found] == sorted(at for at, _ in found)
    for trigger in triggers:
        own = [at for at, one in found if one is trigger]
        assert all(next_due(trigger, a) == b for a, b in zip([START, *own], own, strict=False))
        assert next_due(trigger, own[-1] if own else START) > hours(long)
