"""The simulated clock: it goes from one moment at which something is due to the next, and at each the model decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import Protocol

from controller.domain.rules import Policy
from controller.policy.triggers import ScheduleTrigger, schedules
from controller.service.rules.next_due import next_due

_MOST_FIRES = 100_000
INSTANT = timedelta(microseconds=1)

Event = tuple[datetime, Callable[[], object]]
"""A time, and what happens then."""


class Simulated(Protocol):
    """What is simulated, as it stands at ``now``."""

    now: datetime

    @property
    def wake_at(self) -> datetime | None:
        """When it has something to do without an event, later than ``now``; None if it has not."""

    def decide(self) -> None:
        """Do what is due now, and decide until nothing changes."""


def play(model: Simulated, events: Iterable[Event], until: datetime) -> Iterator[datetime]:
    """Each moment up to ``until``, after all that was due then has happened and was decided about.

    ``events`` come in the order of their times; those of one time happen before anything is decided.
    """
    for at, due in groupby(events, key=itemgetter(0)):
        yield from _sleep(model, at)
        model.now = at
        for _, happen in due:
            happen()
        model.decide()
        yield at
    yield from _sleep(model, until + INSTANT)


def _sleep(model: Simulated, before: datetime) -> Iterator[datetime]:
    """The moments before ``before`` at which time alone changes something."""
    while (wake := model.wake_at) is not None and wake < before:
        model.now = max(wake, model.now)
        model.decide()
        yield wake


def in_order(*series: Iterable[Event]) -> Iterator[Event]:
    """Several series of events as one; of one time, those of the first series come first."""
    return merge(*series, key=itemgetter(0))


def schedule_fires(
    policy: Policy, after: datetime, until: datetime
) -> Iterator[tuple[datetime, ScheduleTrigger]]:
    """When each schedule of the policy is due, later than ``after``, in order; at most 100,000 times."""
    series = [_fires(trigger, after, until) for trigger in schedules(policy)]
    return islice(merge(*series, key=itemgetter(0)), _MOST_FIRES)


def _fires(
    trigger: ScheduleTrigger, after: datetime, until: datetime
) -> Iterator[tuple[datetime, ScheduleTrigger]]:
    due = next_due(trigger, after)
    while due <= until:
        yield due, trigger
        due = next_due(trigger, due)
