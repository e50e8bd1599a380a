"""One way to write a value as bytes, so that equal values have equal digests on every machine and version.

Dataclasses become objects, enums their value, times ISO 8601 in UTC with microseconds, durations seconds.
Keys are sorted, there is no white space, and NaN or infinity is refused: a number that is not a number must
have been turned into a named problem before it is stored.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

GENESIS = "0" * 64
"""What the first record of a hash chain names as its predecessor."""


def to_plain(value: Any) -> Any:
    """``value`` as plain JSON types (None, bool, int, float, str, list, dict)."""
    if value is None or (isinstance(value, (bool, int, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(item) for item in value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def in_order(value: Any) -> Any:
    """Plain JSON types with the keys of every object sorted: ``value`` as it is read back from its canonical text."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [in_order(item) for item in value]
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that a record may hold")
    return value


def format_time(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC with microseconds, e.g. ``2013-02-01T00:00:00.000000Z``."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no canonical form")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The inverse of :func:`format_time`; any ISO 8601 time with a zone is taken. ValueError for what is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the years 1 to 9999 in UTC") from None


def canonical_json(value: Any) -> str:
    """The canonical JSON text of ``value``."""
    return json.dumps(
        to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: Any) -> str:
    """SHA-256 in hex of the canonical JSON of ``value`` (of the bytes themselves, if it is bytes)."""
    raw = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(raw).hexdigest()
