"""How times, spans of time and series over time are read, and what they are in JSON Schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from controller.domain import keys
from controller.domain.durations import LONGEST, format_duration, parse_duration
from controller.domain.rules import Hold
from controller.rulefmt import scalars
from controller.rulefmt.cron import cron_problem
from controller.rulefmt.nodes import Node
from controller.rulefmt.problems import Problems, did_you_mean, quoted
from controller.rulefmt.scalar_readers import BAD, JsonSchema, trapped, wrong_type

_MOST_STEPS = 10_000
_FIRST_YEAR, _LAST_YEAR = 1971, 9000
"""Of a moment: to a date spans of a hundred years are added, and dates end with the year 9999."""


@dataclass(frozen=True, slots=True)
class SpanReader(keys.Span):
    """Reads a span of time."""

    label: str = "duration"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = "a duration such as 45s, 1h30m, 2d or 1w"
        if node.kind != "scalar":
            return wrong_type(node, where, wanted, problems)
        value = parse_duration(node.text)
        if value is None:
            if trapped(node, where, problems):
                return BAD
            return wrong_type(node, where, wanted, problems, _duration_hint(node.text))
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
    match = re.fullmatch(r"([0-9]{1,30}) ?(w|d|h|m|s)[a-z]*", text.lower())
    if match and text.lower().endswith(("mo", "month", "months")):
        return "write days"
    if match:
        short = f"{match[1]}{match[2]}"
        longest = f"at most {format_duration(LONGEST)} is a duration"
        return longest if parse_duration(short) is None else f"write {short}"
    return "units are w, d, h, m and s, largest first"


@dataclass(frozen=True, slots=True)
class HoldReader:
    """How long something must last: ``2 batches``, ``2 of 3 batches``, or a duration."""

    label: str = "`N batches`, `N of M batches`, or duration"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = (
            "a number of batches such as `2 batches` or `2 of 3 batches`, or a duration such as 1h"
        )
        if node.kind != "scalar":
            return wrong_type(node, where, wanted, problems)
        match = re.fullmatch(r"([1-9][0-9]{0,5}) batch(?:es)?", node.text)
        if match:
            return Hold(batches=int(match[1]))
        match = re.fullmatch(r"([1-9][0-9]{0,2}) of ([1-9][0-9]{0,2}) batches", node.text)
        if match and int(match[1]) <= int(match[2]):
            return Hold(batches=int(match[1]), of=int(match[2]))
        value = parse_duration(node.text)
        if value:
            return Hold(span=value)
        if trapped(node, where, problems):
            return BAD
        count = scalars.read_number(node.text)
        hint = f"write `{node.text} batches` or {node.text}h" if isinstance(count, int) else ""
        return wrong_type(node, where, wanted, problems, hint)

    def json(self) -> JsonSchema:
        batches = "[1-9][0-9]* batch(es)?|[1-9][0-9]* of [1-9][0-9]* batches"
        return {"type": "string", "pattern": f"^({batches}|([0-9]+[wdhms])+)$"}


_REFERENCES = ("training", "previous", "same_season")


@dataclass(frozen=True, slots=True)
class ReferenceWindowReader(keys.ReferenceWindow):
    """Reads a word or two days."""

    label: str = "`training`, `previous`, `same_season`, or `FROM/UNTIL`"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = "training, previous, same_season, or a window such as 2013-01-01/2013-02-01"
        if node.kind != "scalar":
            return wrong_type(node, where, wanted, problems)
        if node.text in _REFERENCES:
            return node.text
        first, _, last = node.text.partition("/")
        try:
            days = date.fromisoformat(first), date.fromisoformat(last)
        except ValueError:
            return wrong_type(node, where, wanted, problems)
        if days[0] >= days[1]:
            message = f"`{where}` ends before it begins: {node.text}"
            problems.add(node, "empty-range", message, "write FROM/UNTIL")
            return BAD
        return f"{days[0].isoformat()}/{days[1].isoformat()}"

    def json(self) -> JsonSchema:
        day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
        return {"type": "string", "pattern": f"^({'|'.join(_REFERENCES)}|{day}/{day})$"}


@dataclass(frozen=True, slots=True)
class CronReader(keys.Cron):
    """Reads a cron line."""

    label: str = "cron line"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        if node.kind != "scalar" or not node.text.strip():
            return wrong_type(node, where, "a cron line such as `0 3 * * 1`", problems)
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
class TimeZoneReader(keys.TimeZone):
    """Reads the name of a time zone."""

    label: str = "time zone"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        import zoneinfo

        if node.kind != "scalar" or node.empty:
            return wrong_type(node, where, "a time zone such as Europe/Berlin", problems)
        try:
            if re.fullmatch(r"[A-Za-z0-9_+\-/]{1,64}", node.text):
                zoneinfo.ZoneInfo(node.text)
                return node.text
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
        hint = ""
        if not problems.full:
            hint = did_you_mean(node.text, zoneinfo.available_timezones())
        return wrong_type(node, where, "a time zone such as Europe/Berlin", problems, hint)

    def json(self) -> JsonSchema:
        return {"type": "string", "examples": ["UTC", "Europe/Berlin"]}


@dataclass(frozen=True, slots=True)
class MomentReader:
    """A quoted time with its zone: ``"2013-01-31T12:00:00Z"``."""

    label: str = "quoted time with its zone"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = '"2013-01-31T12:00:00Z"'
        try:
            moment = datetime.fromisoformat(node.text) if node.kind == "scalar" else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or node.plain:
            message = f"`{where}` must be a quoted time with its zone, found {node.describe()}"
            problems.add(node, "wrong-type", message, f"for example {wanted}")
            return BAD
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            years = f"the years {_FIRST_YEAR} to {_LAST_YEAR}"
            message = f"`{where}` must be in {years}, found {node.describe()}"
            problems.add(node, "out-of-range", message, f"for example {wanted}")
            return BAD
        return moment

    def json(self) -> JsonSchema:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class StepsReader(keys.Steps):
    """Reads a series of values."""

    label: str = "values, one a step"

    def read(self, node: Node, where: str, problems: Problems) -> object:
        wanted = "values separated by spaces, `_` for a gap and `0.3x4` for four in a row"
        values: list[float | None] = []
        good = node.kind == "scalar" and bool(node.text.strip())
        for word in node.text.split():
            match = re.fullmatch(r"(_|-?[0-9]{1,15}(?:\.[0-9]{1,15})?)(?:x([0-9]{1,5}))?", word)
            times = int(match[2] or 1) if match else 0
            if match is None or len(values) + times > _MOST_STEPS:
                good = False
                break
            values += [None if match[1] == "_" else float(match[1])] * times
        if not good:
            message = f"`{where}` must be {wanted}, found {node.describe()}"
            problems.add(node, "wrong-type", message)
            return BAD
        return tuple(values)

    def json(self) -> JsonSchema:
        return {"type": ["string", "number"]}
