"""The types that a value in a rules file can have: how each is read, and what it is in JSON Schema.

A type reads one node and returns a Python value, or :data:`BAD` after it has reported why not. The table of
keys (:mod:`controller.rulefmt.schema`) is made of these; parser, JSON Schema and reference page come from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

from controller.domain.durations import parse_duration
from controller.rulefmt import scalars
from controller.rulefmt.cron import cron_problem
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems, did_you_mean, one_of, quoted

BAD: Final = object()
"""Stands for a value that could not be read; its problem has been reported."""

JsonSchema = dict[str, Any]


class Type(Protocol):
    """How one value is read and described."""

    @property
    def label(self) -> str: ...
    def read(self, node: Node, where: str, problems: Problems) -> Any: ...
    def json(self) -> JsonSchema: ...


def _wrong(node: Node, where: str, wanted: str, problems: Problems, hint: str = "") -> Any:
    if not node.refused:
        found = node.describe()
        problems.add(node, "wrong-type", f"`{where}` must be {wanted}, found {found}", hint)
    return BAD


def _trapped(node: Node, where: str, problems: Problems, *, hint: str = "") -> bool:
    """Report a plain scalar that readers of YAML disagree on."""
    found = scalars.trap(node.text) if node.plain else None
    if found is None:
        return False
    code, wrong, write = found
    problems.add(node, code, f"`{where}`: {quoted(node.text)} {wrong}", hint or write)
    return True


@dataclass(frozen=True, slots=True)
class Text:
    """Text. With ``pattern`` it must match whole; ``says`` names what the pattern asks for."""

    says: str = "text"
    pattern: str = ""
    longest: int = 500
    label: str = "text"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind != "scalar" or node.empty:
            return _wrong(node, where, self.says, problems)
        if node.plain:
            if _trapped(node, where, problems, hint=f'quote it: "{node.text}"'):
                return BAD
            other = scalars.truth(node.text) is not None or scalars.is_null(node.text)
            if other or scalars.read_number(node.text) is not None:
                return _wrong(
                    node, where, self.says, problems, f'quote it if you mean text: "{node.text}"'
                )
        if len(node.text) > self.longest:
            message = (
                f"`{where}` has {len(node.text):,} characters, at most {self.longest} are allowed"
            )
            problems.add(node, "too-long", message)
            return BAD
        if not node.text.strip():
            return _wrong(node, where, self.says, problems)
        if self.pattern and not re.fullmatch(self.pattern, node.text):
            return _wrong(node, where, self.says, problems)
        return node.text

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {**shape, "pattern": f"^(?:{self.pattern})$"} if self.pattern else shape


@dataclass(frozen=True, slots=True)
class ChoiceType:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def label(self) -> str:
        return one_of([f"`{w}`" for w in self.words])

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind == "scalar" and node.text in self.words:
            return node.text
        hint = did_you_mean(node.text, self.words) if node.kind == "scalar" else ""
        return _wrong(node, where, one_of(self.words), problems, hint)

    def json(self) -> JsonSchema:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Boolean:
    """``true`` or ``false``, nothing else."""

    label: str = "`true` or `false`"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        value = scalars.truth(node.text) if node.kind == "scalar" and node.plain else None
        if value is not None:
            return value
        if node.kind == "scalar" and node.plain and _trapped(node, where, problems):
            return BAD
        hint = (
            "remove the quotes" if node.kind == "scalar" and node.text in ("true", "false") else ""
        )
        return _wrong(node, where, "true or false", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class NumberType:
    """A finite number between bounds (inclusive); ``whole`` asks for an integer."""

    least: float | None = None
    most: float | None = None
    whole: bool = False

    @property
    def label(self) -> str:
        noun = "whole number" if self.whole else "number"
        if self.least is not None and self.most is not None:
            return f"{noun} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{noun}, at least {self.least:g}"
        return noun

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = f"a {self.label}"
        value = scalars.read_number(node.text) if node.kind == "scalar" else None
        if node.kind != "scalar" or not node.plain:
            hint = "remove the quotes" if value is not None else ""
            return _wrong(node, where, wanted, problems, hint)
        if value is None:
            if _trapped(node, where, problems):
                return BAD
            return _wrong(node, where, wanted, problems, _number_hint(node.text))
        if self.whole and not isinstance(value, int):
            return _wrong(node, where, wanted, problems)
        low = self.least is not None and value < self.least
        if low or (self.most is not None and value > self.most):
            problems.add(
                node, "out-of-range", f"`{where}` must be {wanted}, found {quoted(node.text)}"
            )
            return BAD
        return value

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "integer" if self.whole else "number"}
        if self.least is not None:
            shape["minimum"] = self.least
        if self.most is not None:
            shape["maximum"] = self.most
        return shape


def _number_hint(text: str) -> str:
    share = scalars.percentage(text)
    if share is not None:
        return f"write {share:g} for {text}"
    plain = text.replace(",", "").replace("_", "")
    return f"write {plain}" if scalars.read_number(plain) is not None else ""


@dataclass(frozen=True, slots=True)
class Share:
    """A percentage (``3%``) or a fraction below one (``0.03``), as a fraction. A bare 1 or more is not guessed."""

    most: float = 1.0
    positive: bool = False
    label: str = "percentage, or fraction below 1"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind != "scalar":
            return _wrong(node, where, "a percentage such as 3%", problems)
        value = scalars.percentage(node.text)
        if value is None:
            bare = scalars.read_number(node.text) if node.plain else None
            if bare is None:
                if _trapped(node, where, problems):
                    return BAD
                return _wrong(node, where, "a percentage such as 3%", problems)
            if not 0 <= bare < 1:
                return _wrong(
                    node, where, "a percentage such as 3%", problems, f"did you mean {bare:g}%?"
                )
            value = float(bare)
        if value < 0 or value > self.most or (self.positive and value == 0):
            low = "above 0%" if self.positive else "0%"
            message = f"`{where}` must be from {low} to {self.most:.0%}, found {quoted(node.text)}"
            problems.add(node, "out-of-range", message)
            return BAD
        return value

    def json(self) -> JsonSchema:
        percent = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"}
        return {"anyOf": [percent, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]}


@dataclass(frozen=True, slots=True)
class Amount:
    """A margin: ``3%`` of the reference, or a number in the metric's unit. Read as ``(value, relative)``."""

    label: str = "percentage of the reference, or number in the metric's unit"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = "a percentage such as 3%, or a number in the metric's unit"
        if node.kind != "scalar":
            return _wrong(node, where, wanted, problems)
        share = scalars.percentage(node.text)
        value = (
            share if share is not None else scalars.read_number(node.text) if node.plain else None
        )
        if value is None:
            if _trapped(node, where, problems):
                return BAD
            return _wrong(node, where, wanted, problems)
        if value < 0 or (share is not None and share > 10):
            hint = "a margin is a size; the metric's direction is known" if value < 0 else ""
            problems.add(node, "out-of-range", f"`{where}` cannot be {quoted(node.text)}", hint)
            return BAD
        return float(value), share is not None

    def json(self) -> JsonSchema:
        percent = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"}
        return {"anyOf": [percent, {"type": "number", "minimum": 0}]}


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time: ``45s``, ``1h30m``, ``2d``, ``1w``."""

    positive: bool = True
    label: str = "duration"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = "a duration such as 45s, 1h30m, 2d or 1w"
        if node.kind != "scalar":
            return _wrong(node, where, wanted, problems)
        value = parse_duration(node.text)
        if value is None:
            if _trapped(node, where, problems):
                return BAD
            return _wrong(node, where, wanted, problems, _duration_hint(node.text))
        if self.positive and not value:
            problems.add(node, "out-of-range", f"`{where}` must be longer than {quoted(node.text)}")
            return BAD
        return value

    def json(self) -> JsonSchema:
        return {
            "type": "string",
            "pattern": "^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
            "minLength": 2,
        }


def _duration_hint(text: str) -> str:
    value = scalars.read_number(text)
    if isinstance(value, int) and value >= 0:
        return f"add a unit: {text}s, {text}m, {text}h, {text}d or {text}w"
    match = re.fullmatch(r"([0-9]{1,6}) ?(w|d|h|m|s)[a-z]*", text.lower())
    if match:
        return (
            f"write {match[1]}{match[2]}"
            if not text.lower().endswith(("mo", "month", "months"))
            else "write days"
        )
    return "units are w, d, h, m and s, largest first"


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes with a unit: ``512MiB``, ``2GiB``, ``1.5GB``."""

    label: str = "size"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        value = scalars.size(node.text) if node.kind == "scalar" else None
        if value:
            return value
        hint = ""
        if node.kind == "scalar" and scalars.read_number(node.text) is not None:
            hint = f"add a unit: {node.text}MiB or {node.text}GiB"
        return _wrong(node, where, "a size such as 512MiB or 2GiB", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$"}


@dataclass(frozen=True, slots=True)
class Hold:
    """How long something must last: ``2 batches`` (read as an int), ``2 of 3 batches`` (as two of them), or a
    duration (as a timedelta).
    """

    label: str = "`N batches`, `N of M batches`, or duration"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = (
            "a number of batches such as `2 batches` or `2 of 3 batches`, or a duration such as 1h"
        )
        if node.kind != "scalar":
            return _wrong(node, where, wanted, problems)
        match = re.fullmatch(r"([1-9][0-9]{0,5}) batch(?:es)?", node.text)
        if match:
            return int(match[1])
        match = re.fullmatch(r"([1-9][0-9]{0,2}) of ([1-9][0-9]{0,2}) batches", node.text)
        if match and int(match[1]) <= int(match[2]):
            return int(match[1]), int(match[2])
        value = parse_duration(node.text)
        if value:
            return value
        if _trapped(node, where, problems):
            return BAD
        count = scalars.read_number(node.text)
        hint = f"write `{node.text} batches` or {node.text}h" if isinstance(count, int) else ""
        return _wrong(node, where, wanted, problems, hint)

    def json(self) -> JsonSchema:
        batches = "[1-9][0-9]* batch(es)?|[1-9][0-9]* of [1-9][0-9]* batches"
        return {"type": "string", "pattern": f"^({batches}|([0-9]+[wdhms])+)$"}


_REFERENCES = ("training", "previous", "same_season")


@dataclass(frozen=True, slots=True)
class ReferenceWindow:
    """Whom new rows are compared with: a word, or a window of time as ``2013-01-01/2013-02-01``."""

    label: str = "`training`, `previous`, `same_season`, or `FROM/UNTIL`"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        wanted = "training, previous, same_season, or a window such as 2013-01-01/2013-02-01"
        if node.kind != "scalar":
            return _wrong(node, where, wanted, problems)
        if node.text in _REFERENCES:
            return node.text
        first, _, last = node.text.partition("/")
        try:
            days = date.fromisoformat(first), date.fromisoformat(last)
        except ValueError:
            return _wrong(node, where, wanted, problems)
        if days[0] >= days[1]:
            message = f"`{where}` ends before it begins: {node.text}"
            problems.add(node, "empty-range", message, "write FROM/UNTIL")
            return BAD
        return f"{days[0].isoformat()}/{days[1].isoformat()}"

    def json(self) -> JsonSchema:
        day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
        return {"type": "string", "pattern": f"^({'|'.join(_REFERENCES)}|{day}/{day})$"}


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line of five fields; weekdays count from Sunday = 0, as in every crontab."""

    label: str = "cron line"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind != "scalar" or not node.text.strip():
            return _wrong(node, where, "a cron line such as `0 3 * * 1`", problems)
        wrong = cron_problem(node.text)
        if wrong is None:
            return " ".join(node.text.split())
        message = (
            f"`{where}` must be a cron line such as `0 3 * * 1`, found {quoted(node.text)}: {wrong}"
        )
        problems.add(node, "bad-cron", message)
        return BAD

    def json(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^\S+( +\S+){4}$"}


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A name of the time zone database."""

    label: str = "time zone"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        import zoneinfo

        if node.kind != "scalar" or node.empty:
            return _wrong(node, where, "a time zone such as Europe/Berlin", problems)
        try:
            if re.fullmatch(r"[A-Za-z0-9_+\-/]{1,64}", node.text):
                zoneinfo.ZoneInfo(node.text)
                return node.text
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
        hint = ""
        if not problems.full:
            hint = did_you_mean(node.text, zoneinfo.available_timezones())
        return _wrong(node, where, "a time zone such as Europe/Berlin", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "string", "examples": ["UTC", "Europe/Berlin"]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; ``unique`` refuses the same scalar twice, ``single`` lets one value stand for a list of one."""

    item: Type
    least: int = 0
    most: int = 1000
    unique: bool = False
    single: bool = False

    @property
    def label(self) -> str:
        return f"list of {self.item.label}" + (", or one" if self.single else "")

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if self.single and node.kind == "scalar" and not node.empty:
            value = self.item.read(node, where, problems)
            return BAD if value is BAD else (value,)
        if node.kind != "list":
            hint = f"write [{node.text[:40]}]" if node.kind == "scalar" and node.text else ""
            if node.kind == "mapping":
                hint = "begin each entry with `- `"
            return _wrong(node, where, "a list", problems, hint)
        if self.least == 1 and not node.items:
            problems.add(node, "out-of-range", f"`{where}` must not be empty")
            return BAD
        if not self.least <= len(node.items) <= self.most:
            wanted = (
                f"at least {self.least}" if len(node.items) < self.least else f"at most {self.most}"
            )
            problems.add(
                node, "out-of-range", f"`{where}` needs {wanted} entries, found {len(node.items)}"
            )
            return BAD
        values = tuple(
            self.item.read(item, f"{where}[{n}]", problems) for n, item in enumerate(node.items)
        )
        if self.unique and self._repeats(node, where, values, problems):
            return BAD
        return BAD if any(v is BAD for v in values) else values

    def _repeats(self, node: Node, where: str, values: tuple[Any, ...], problems: Problems) -> bool:
        seen: set[Any] = set()
        found = False
        for item, value in zip(node.items, values, strict=True):
            if value is not BAD and value in seen:
                problems.add(
                    item, "repeated", f"`{where}` names {item.describe()} twice", "keep one of them"
                )
                found = True
            seen.add(value)
        return found

    def json(self) -> JsonSchema:
        shape: JsonSchema = {"type": "array", "items": self.item.json(), "maxItems": self.most}
        if self.least:
            shape["minItems"] = self.least
        if self.unique:
            shape["uniqueItems"] = True
        return {"anyOf": [self.item.json(), shape]} if self.single else shape


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with free keys (of ``key``'s type) to values of one type."""

    key: Type
    value: Type
    noun: str = "name"

    @property
    def label(self) -> str:
        return f"mapping from {self.noun} to {self.value.label}"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind != "mapping":
            return _wrong(node, where, "a mapping", problems)
        read: dict[str, Any] = {}
        good = True
        for key, value in node.pairs:
            name = self.key.read(key, f"{where}: the {self.noun}", problems)
            item = self.value.read(value, f"{where}.{key.text[:40]}", problems)
            good = good and name is not BAD and item is not BAD
            if name is not BAD:
                read[name] = item
        return read if good else BAD

    def json(self) -> JsonSchema:
        return {
            "type": "object",
            "propertyNames": self.key.json(),
            "additionalProperties": self.value.json(),
        }


@dataclass(frozen=True, slots=True)
class Anything:
    """What JSON can say: handed to the user's code as it is, after YAML's traps have been refused."""

    label: str = "any value"

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        if node.kind == "list":
            values = [self.read(item, where, problems) for item in node.items]
            return BAD if any(v is BAD for v in values) else values
        if node.kind == "mapping":
            return MapOf(Text(longest=100), self).read(node, where, problems)
        if not node.plain:
            return node.text
        if _trapped(node, where, problems):
            return BAD
        if scalars.is_null(node.text):
            return None
        value = scalars.truth(node.text)
        if value is not None:
            return value
        found = scalars.read_number(node.text)
        return node.text if found is None else found

    def json(self) -> JsonSchema:
        return {}


@dataclass(frozen=True, slots=True)
class Checked:
    """Another type, and a check of its value that returns a sentence when it does not hold."""

    inner: Type
    check: Callable[[Any], str | None]

    @property
    def label(self) -> str:
        return self.inner.label

    def read(self, node: Node, where: str, problems: Problems) -> Any:
        value = self.inner.read(node, where, problems)
        if value is BAD:
            return BAD
        wrong = self.check(value)
        if wrong:
            problems.add(node, "wrong-value", f"`{where}` {wrong}, found {node.describe()}")
            return BAD
        return value

    def json(self) -> JsonSchema:
        return self.inner.json()
