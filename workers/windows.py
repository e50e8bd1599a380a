"""Which batches a reference means: the one before, the same days of the year before, or a window of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from controller.domain.canonical import parse_time
from controller.ports import Batch

SEASON = timedelta(days=28)
"""A season is at least four weeks wide, so that a day is held against like weekdays."""


def window_of(
    name: str, older: Sequence[Batch], fresh: Sequence[Batch]
) -> tuple[tuple[Batch, ...], str]:
    """The batches of the reference called ``name`` among ``older``, or a sentence that says why there are none."""
    if name == "previous":
        return (tuple(older[-1:]), "" if older else "there is no batch before")
    if name == "same_season":
        spans = [span for batch in fresh if (span := _span(batch)) is not None]
        if not spans:
            return (), "the new data have no times, so that nobody can tell their season"
        first, last = _year_before(min(s[0] for s in spans)), _year_before(max(s[1] for s in spans))
        missing = max(SEASON - (last - first), timedelta(0)) / 2
        return _inside(older, first - missing, last + missing, "of the same season a year before")
    start, _, end = name.partition("/")
    first, last = (datetime.combine(date.fromisoformat(day), time(), UTC) for day in (start, end))
    return _inside(older, first, last, f"of {name}")


def _inside(
    older: Sequence[Batch], first: datetime, last: datetime, what: str
) -> tuple[tuple[Batch, ...], str]:
    """Batches whose middle lies in the window: a file that only touches it belongs to its neighbour."""
    found = []
    for batch in older:
        span = _span(batch)
        if span is not None and first <= span[0] + (span[1] - span[0]) / 2 < last:
            found.append(batch)
    return tuple(found), "" if found else f"there is no data {what}"


def _span(batch: Batch) -> tuple[datetime, datetime] | None:
    first, last = batch.details.get("time_min"), batch.details.get("time_max")
    if not isinstance(first, str) or not isinstance(last, str):
        return None
    return parse_time(first), parse_time(last)


def _year_before(moment: datetime) -> datetime:
    """The same day of the year before; 29 February has none, and 28 stands for it."""
    try:
        return moment.replace(year=moment.year - 1)
    except ValueError:
        return moment.replace(year=moment.year - 1, day=28)
