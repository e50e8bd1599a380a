"""Spans of time as people write them: ``30s``, ``1h30m``, ``7d``. The one reader and the one writer."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

LONGEST: Final = timedelta(days=36_500)
"""A hundred years: what is longer is a mistake, and may be no date when it is added to one."""
_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:[0-9]+[wdhms])+")
_PART = re.compile(r"([0-9]+)([wdhms])")
_MOST_CHARACTERS = 30


def parse_duration(text: str) -> timedelta | None:
    """``1h30m`` as a timedelta; None for anything else, or beyond a hundred years. Units: w d h m s, largest first."""
    if len(text) > _MOST_CHARACTERS or not _WHOLE.fullmatch(text):
        return None
    parts = _PART.findall(text)
    units = [unit for _, unit in parts]
    if units != sorted(set(units), key="wdhms".index):
        return None
    seconds = sum(int(count) * _UNITS[unit] for count, unit in parts)
    return timedelta(seconds=seconds) if seconds <= LONGEST.total_seconds() else None


def format_duration(span: timedelta) -> str:
    """``6h``, ``2d``, ``1h30m``; zero is ``0s``. Fractions of a second are left out."""
    seconds, parts = int(span.total_seconds()), []
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
