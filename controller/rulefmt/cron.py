"""Cron lines with the meaning that cron gives them, on top of APScheduler's parser.

APScheduler 3 counts weekdays from Monday = 0 while every crontab counts from Sunday = 0, so that ``0 3 * * 1``
would fire on Tuesdays (agronholm/apscheduler issue 286). Numbers of weekdays are therefore translated to
names before APScheduler sees them. Used by the parser to check a line and by the schedule source to follow it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(\*|[0-9a-zA-Z]+)(?:-([0-9a-zA-Z]+))?(?:/([0-9]+))?")
_LONGEST = 100
_A_LEAP_YEAR_SOON = datetime(2027, 1, 1, tzinfo=UTC)


def cron_trigger(line: str, timezone: str = "UTC") -> Any:
    """APScheduler's ``CronTrigger`` for a five-field cron line; ValueError with a sentence if it is none."""
    from zoneinfo import ZoneInfo

    from apscheduler.triggers.cron import CronTrigger

    fields = line.split()
    if len(line) > _LONGEST or len(fields) != 5:
        raise ValueError(f"a cron line has five fields, this has {len(fields)}")
    minute, hour, day, month, weekday = fields
    if not day.startswith("*") and not weekday.startswith("*"):
        raise ValueError(
            "day of month and weekday are both set; cron would take either, others both"
        )
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=_weekdays(weekday),
        timezone=ZoneInfo(timezone),
    )


@lru_cache(maxsize=1024)
def cron_problem(line: str) -> str | None:
    """Why a cron line cannot be used, as half a sentence; None if it can."""
    try:
        first = cron_trigger(line).get_next_fire_time(None, _A_LEAP_YEAR_SOON)
    except (ValueError, TypeError, ArithmeticError) as error:
        return str(error).rstrip(".")
    return None if first else "it never fires"


def _weekdays(field: str) -> str:
    """The weekday field with names for numbers, ranges spelt out: ``1-5`` -> ``mon,tue,wed,thu,fri``."""
    if field == "*":
        return field
    days: list[str] = []
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"`{part}` is no weekday")
        first, last, step = match[1], match[2], int(match[3] or 1)
        if first == "*":
            low, high = 0, 6
        else:
            low = _day_number(first)
            high = _day_number(last) if last else (6 if match[3] else low)
        if last and high == 0 and low > 0:
            high = 7
        if high < low or step < 1:
            raise ValueError(f"`{part}` runs backwards")
        days.extend(_DAYS[n] for n in range(low, high + 1, step))
    return ",".join(dict.fromkeys(days))


def _day_number(word: str) -> int:
    if word.isdecimal():
        if len(word) > 1 or int(word) > 7:
            raise ValueError(f"weekday {word} is not in 0 to 7 (0 and 7 are Sunday)")
        return int(word)
    name = word.lower()
    if name not in _DAYS:
        raise ValueError(f"`{word}` is no weekday; use 0 to 7 or sun to sat")
    return _DAYS.index(name)
