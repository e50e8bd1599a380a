"""The bounds of a payload as a whole: its size, depth and number of values. Walked without recursion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.payloads.fields import InvalidPayload, below, found

DEEPEST = 32
"""Levels below the payload; the deepest that means something, an evaluation's panel, has seven."""
WIDEST = 64
"""Bits of an integer that nobody interprets."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most ``size`` bytes of text (about that of its JSON) in ``values`` values."""

    size: int
    values: int


def check_bounds(payload: Any, bounds: Bounds, path: str = "payload") -> None:
    """Raise :class:`InvalidPayload` for what is too large, too deep, or has no place in JSON."""
    size = values = 0
    waiting: list[tuple[Any, str, int]] = [(payload, path, 0)]
    while waiting:
        value, place, depth = waiting.pop()
        size += _size(value, place)
        values += 1
        if isinstance(value, (Mapping, list, tuple)):
            if depth >= DEEPEST:
                raise InvalidPayload(place, f"lies deeper than {DEEPEST} levels")
            if values + len(waiting) + len(value) > bounds.values:
                raise InvalidPayload(place, f"makes more than {bounds.values:,} values")
            waiting.extend((item, below(place, key), depth + 1) for key, item in _inside(value))
            if isinstance(value, Mapping):
                size += sum(_size(key, place) for key in value)
        if size > bounds.size:
            raise InvalidPayload(place, f"makes the payload larger than {bounds.size:,} bytes")


def _inside(value: Mapping[str, Any] | list[Any] | tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, Mapping) else enumerate(value)


def _size(value: Any, place: str) -> int:
    """About the bytes of the value's own JSON, without what it holds; raises for what JSON has no word for."""
    if isinstance(value, str):
        return _text(value, place) + 3
    if value is None or isinstance(value, bool):
        return 5
    if isinstance(value, int):
        if value.bit_length() > WIDEST:
            raise InvalidPayload(place, f"is {found(value)}, and at most {WIDEST} bits are taken")
        return 20
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidPayload(place, f"is {value}, and JSON has no such number")
        return 20
    if isinstance(value, (Mapping, list, tuple)):
        return 3
    raise InvalidPayload(place, f"is {found(value)}, and JSON has no word for it")


def _text(value: str, place: str) -> int:
    if value.isascii():
        size = len(value)
    else:
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise InvalidPayload(place, f"is {found(value)}, which is no Unicode text") from None
    if "\x00" in value:
        raise InvalidPayload(place, f"is {found(value)}, and a NUL character is not taken")
    return size
