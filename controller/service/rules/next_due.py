"""When a schedule fires next: pure, for cron lines in a time zone and for intervals.

What an hour that is missing or comes twice means (as in Vixie cron, told apart by the cron line's hour field):

- An hour field of ``*`` counts the hours that pass: an hourly line fires in both of the two hours that share a
  name in autumn, and not in the hour that spring leaves out.
- Any other hour field names times of the wall clock: each fires once a day. A time that spring leaves out fires
  later by as much as was left out (02:30 at 03:30), one that comes twice in autumn fires the first time.
- ``every:`` measures elapsed time and knows no wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from controller.policy.triggers import ScheduleTrigger
from controller.rulefmt.cron import cron_trigger

MOST_COUNTED = 10_000
"""Missed due times that are counted; beyond that the count is a lower bound."""

_SECOND = timedelta(seconds=1)
_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class CatchUp:
    """What to do about a due time that has come: fire for ``due`` once, ``missed`` earlier ones are lost in it."""

    due: datetime
    missed: int
    following: datetime


def definition(trigger: ScheduleTrigger) -> str:
    """What the due times depend on, as a text; another text means: compute them anew."""
    if trigger.every is not None:
        return f"every {trigger.every.total_seconds():g}s"
    return f"cron {trigger.cron} in {trigger.timezone}"


def next_due(trigger: ScheduleTrigger, after: datetime) -> datetime:
    """The first due time later than ``after``, in UTC; ValueError if the cron line never fires."""
    if trigger.every is not None:
        return after.astimezone(UTC) + trigger.every
    line, zone = trigger.cron or "", ZoneInfo(trigger.timezone)
    if line.split()[1] == "*":
        return _next_elapsed(line, zone, after)
    return _next_wall(line, zone, after)


def catch_up(trigger: ScheduleTrigger, due: datetime, now: datetime) -> CatchUp:
    """``due`` is not after ``now``: the latest due time up to ``now``, and how many before it were missed."""
    if trigger.every is not None:
        missed = (now - due) // trigger.every
        latest = due + missed * trigger.every
        return CatchUp(due=latest, missed=missed, following=latest + trigger.every)
    missed = 0
    following = next_due(trigger, due)
    while following <= now:
        missed += 1
        due = following
        start = due if missed != MOST_COUNTED else max(due, now - _DAY)
        following = next_due(trigger, start)
    return CatchUp(due=due, missed=missed, following=following)


def _next_elapsed(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Real time is searched stretch by stretch, each with one offset of the wall clock."""
    start = after.astimezone(UTC) + _INSTANT
    while True:
        offset = _offset(zone, start)
        wall = _first_named(line, _naive(start, offset))
        moment = (wall - offset).replace(tzinfo=UTC)
        if _offset(zone, moment) == offset:
            return moment
        start = _change(zone, start, moment)


def _next_wall(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Names of the wall clock in order; each means one moment (`fold=0`)."""
    after = after.astimezone(UTC)
    offset = _offset(zone, after)
    left_out = max(timedelta(0), offset - _offset(zone, after - _DAY))
    wall = _first_named(line, _naive(after, offset) - left_out)
    while True:
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        if moment > after:
            return moment
        wall = _first_named(line, wall + _INSTANT)


def _naive(moment: datetime, offset: timedelta) -> datetime:
    return moment.replace(tzinfo=None) + offset


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The moment after ``low`` at which its offset ends; ``high`` lies beyond it. Found to the second."""
    before = _offset(zone, low)
    low = low.replace(microsecond=0)
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _first_named(line: str, start: datetime) -> datetime:
    """The first wall-clock time from ``start`` on that ``line`` names; both without a zone."""
    found = _trigger(line).get_next_fire_time(None, start.replace(tzinfo=UTC))
    if found is None:
        raise ValueError(f"`{line}` never fires")
    return datetime(*found.timetuple()[:6])  # noqa: DTZ001 - a name on the wall, no moment


@lru_cache(maxsize=1024)
def _trigger(line: str) -> Any:
    return cron_trigger(line, "UTC")
