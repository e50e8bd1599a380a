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
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType
from typing import Any

GENESIS = "0" * 64
"""What the first record of a hash chain names as its predecessor."""


def to_plain(value: Any) -> Any:
    """``value`` as plain JSON types (None, bool, int, float, str, list, dict)."""
    return _WRITERS[type(value)](value)


def in_order(value: Any) -> Any:
    """Plain JSON types with the keys of every object sorted: ``value`` as it is read back from its canonical text."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [in_order(item) for item in value]
    return value


def format_time(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC with microseconds, e.g. ``2013-02-01T00:00:00.000000Z``."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no canonical form")
    # Not strftime: whether it fills a year below 1000 with zeros is up to the C library.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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


class _Writers(dict[type, Callable[[Any], Any]]):
    """How a value of each type is written, looked up once a type: records are deep, and written at every decision."""

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        self[kind] = found = _writer(kind)
        return found


def _writer(kind: type) -> Callable[[Any], Any]:
    for bases, write in _OF_BASES:
        if issubclass(kind, bases):
            return write
    if dataclasses.is_dataclass(kind):
        return _object_writer(tuple(field.name for field in dataclasses.fields(kind)))
    raise TypeError(f"{kind.__name__} has no canonical form")


def _object_writer(names: tuple[str, ...]) -> Callable[[Any], Any]:
    def write(value: Any) -> dict[str, Any]:
        writers = _WRITERS
        return {name: writers[type(item := getattr(value, name))](item) for name in names}

    return write


def _as_it_is(value: Any) -> Any:
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that a record may hold")
    return value


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    writers = _WRITERS
    return {str(key): writers[type(item)](item) for key, item in value.items()}


def _list(value: Iterable[Any]) -> list[Any]:
    writers = _WRITERS
    return [writers[type(item)](item) for item in value]


_OF_BASES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: value.value),
    ((NoneType, bool, int, str), _as_it_is),
    (float, _finite),
    (datetime, format_time),
    (timedelta, timedelta.total_seconds),
    (Mapping, _mapping),
    ((list, tuple), _list),
    ((set, frozenset), lambda value: sorted(_list(value))),
)
"""The first that fits: an enum of strings is an enum."""

_WRITERS = _Writers()
