"""The types that a field of a payload can have: each checks one value and names what is wrong with it.

A type never changes a value: what is accepted is stored as it came.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from controller.domain.errors import UserError

INTEGER: Final = 2**31 - 1
"""The largest number that the database's integer columns hold: versions, runs, generations."""
EXACT: Final = 2**53
"""The largest integer that every reader of JSON knows exactly."""
LARGEST: Final = 1e60
"""The largest measured value: its squares and their sums stay far from infinity."""
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Times lie before it: no time zone and no duration of a policy leads beyond the calendar's end."""

_SHOWN = 60
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class InvalidPayload(UserError):
    """A signal's payload has a field that its kind does not take. ``field`` is its path, such as ``payload.n``."""

    code = "invalid_payload"

    def __init__(self, field: str, what: str, *, hint: str = "") -> None:
        super().__init__(f"{field} {what}.", hint=hint, details={"field": field, "what": what})
        self.field = field
        self.what = what


class FieldType(Protocol):
    """How one value is checked; ``expected`` names what it must be, as half a sentence."""

    @property
    def expected(self) -> str: ...
    def check(self, value: Any, path: str) -> None: ...


def found(value: Any) -> str:
    """What somebody sent, short and safe to show: never more than a line, never a character that is not printable."""
    if isinstance(value, str):
        cut = repr(value[:_SHOWN])[: 2 * _SHOWN]
        return cut + (f" … ({len(value):,} characters)" if len(value) > _SHOWN else "")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return (
            f"{value}" if value.bit_length() <= 128 else f"a number of {value.bit_length():,} bits"
        )
    if isinstance(value, float):
        return f"{value!r}"
    if isinstance(value, Mapping):
        return f"an object of {len(value):,} keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value):,}"
    return f"a {type(value).__name__}"


def below(path: str, key: object) -> str:
    """The path of what lies under ``key``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    text = str(key)
    return f"{path}.{text}" if _PLAIN.fullmatch(text) else f"{path}[{ascii(text)[: 2 * _SHOWN]}]"


def refuse(value: Any, path: str, expected: str) -> InvalidPayload:
    """The error for a value of another type or out of range."""
    return InvalidPayload(path, f"is {found(value)}, and {expected} was expected")


@dataclass(frozen=True, slots=True)
class Text:
    """Text of up to ``longest`` characters; with ``pattern`` it must match whole, ``says`` names what that asks."""

    longest: int
    pattern: str = ""
    says: str = ""
    least: int = 0

    @property
    def expected(self) -> str:
        return f"{self.says or 'text'} of up to {self.longest:,} characters"

    def check(self, value: Any, path: str) -> None:
        good = isinstance(value, str) and self.least <= len(value) <= self.longest
        if not good or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise refuse(value, path, self.expected)


@dataclass(frozen=True, slots=True)
class Named:
    """Text that a rule of the domain judges, such as the name of an alias."""

    says: str
    rule: Callable[[str], object]

    @property
    def expected(self) -> str:
        return self.says

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise refuse(value, path, self.expected)
        try:
            self.rule(value)
        except UserError as error:
            said = error.sentence()
            raise InvalidPayload(
                path, f"is {found(value)}, and {self.says} was expected", hint=said
            ) from None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.words)}"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, str) or value not in self.words:
            raise refuse(value, path, self.expected)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    expected: str = "true or false"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, bool):
            raise refuse(value, path, self.expected)


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer between bounds (inclusive)."""

    least: int = 0
    most: int = INTEGER

    @property
    def expected(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"

    def check(self, value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(value, path, self.expected)
        if not self.least <= value <= self.most:
            raise refuse(value, path, self.expected)


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something; a float without a fraction is a count too, as some writers of JSON have no other."""

    most: int = EXACT

    @property
    def expected(self) -> str:
        return f"a whole number from 0 to {self.most:,}"

    def check(self, value: Any, path: str) -> None:
        number = not isinstance(value, bool) and isinstance(value, (int, float))
        if not number or not 0 <= value <= self.most or value != int(value):
            raise refuse(value, path, self.expected)


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number between bounds (inclusive), as a float holds it."""

    least: float = -LARGEST
    most: float = LARGEST

    @property
    def expected(self) -> str:
        return f"a finite number from {self.least:g} to {self.most:g}"

    def check(self, value: Any, path: str) -> None:
        if not is_measured(value) or not self.least <= value <= self.most:
            raise refuse(value, path, self.expected)


def is_measured(value: Any) -> bool:
    """Whether a number can be added up: finite, and not so large that its square is no number.

    However small it may be: a test of 1,000 rows gives a chance of 1e-299, and a perfect fit an error of 1e-70.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return abs(value) <= LARGEST


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as ISO 8601 text with its zone, between the years 1970 and 8999 in UTC."""

    expected: str = "an ISO 8601 time with a zone, from 1970 to 8999"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, str) or len(value) > _SHOWN:
            raise refuse(value, path, self.expected)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise refuse(value, path, self.expected) from None
        if not is_in_range(moment):
            raise refuse(value, path, self.expected)


def is_in_range(moment: datetime) -> bool:
    """Whether a time has a zone and lies between :data:`EARLIEST` and :data:`LATEST`; no offset overflows here."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        return False
    return EARLIEST <= moment < LATEST


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most ``most`` values of one type."""

    of: FieldType
    most: int

    @property
    def expected(self) -> str:
        return f"a list of up to {self.most:,} items"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, (list, tuple)) or len(value) > self.most:
            raise refuse(value, path, self.expected)
        for place, item in enumerate(value):
            self.of.check(item, below(path, place))


@dataclass(frozen=True, slots=True)
class Table:
    """An object of at most ``most`` names, each up to ``longest`` characters, with values of one type."""

    of: FieldType
    most: int
    longest: int = 500

    @property
    def expected(self) -> str:
        return f"an object of up to {self.most:,} names"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping) or len(value) > self.most:
            raise refuse(value, path, self.expected)
        for name, item in value.items():
            if not isinstance(name, str) or len(name) > self.longest:
                raise InvalidPayload(
                    below(path, name), f"has a name longer than {self.longest} characters"
                )
            self.of.check(item, below(path, name))


@dataclass(frozen=True, slots=True)
class Free:
    """Anything, within the bounds of the whole payload: nobody interprets it."""

    expected: str = "anything"

    def check(self, value: Any, path: str) -> None:
        """The bounds of the whole payload hold for it (:mod:`controller.domain.payloads.bounds`)."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """The type, or null."""

    of: FieldType

    @property
    def expected(self) -> str:
        return f"{self.of.expected}, or null"

    def check(self, value: Any, path: str) -> None:
        if value is not None:
            self.of.check(value, path)


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of known fields. ``more``: others may stand beside them, which nobody interprets."""

    fields: Mapping[str, FieldType]
    required: frozenset[str] = field(default_factory=frozenset)
    more: bool = False
    free: str = ""
    """The one field that takes anything; a refusal of an unknown field points to it."""

    @property
    def expected(self) -> str:
        return f"an object with {', '.join(self.fields)}"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(value, path, self.expected)
        for name in sorted(self.required - value.keys()):
            raise InvalidPayload(
                below(path, name), f"is missing, and {self.fields[name].expected} was expected"
            )
        for name, item in value.items():
            known = self.fields.get(name)
            if known is not None:
                known.check(item, below(path, name))
            elif not self.more:
                raise self._unknown(path, name)

    def _unknown(self, path: str, name: object) -> InvalidPayload:
        known = ", ".join(self.fields)
        if not self.fields:
            return InvalidPayload(below(path, name), "is not known here")
        where = f" What nobody shall interpret goes below {self.free}." if self.free else ""
        return InvalidPayload(
            below(path, name), "is not known here", hint=f"Known are {known}.{where}"
        )
