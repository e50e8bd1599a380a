"""The series of a backtest: a row is a time, a column is a signal or a number of a candidate.

=======================================  ==========================================================================
column                                   what it holds
=======================================  ==========================================================================
``at``                                   the time, ISO 8601; without a zone it is UTC
``new_data``                             rows that arrived
``webhook``                              the type of an event
``drift.COLUMN.DISTANCE`` (``skew.…``)   a distance of one column
``decay.METRIC``                         a labelled metric; with ``.reference`` and ``.labels``
``metric.METRIC``                        a figure for ``rollback.when``; with ``.n``, ``.std``, ``.reference``
``candidate.METRIC``                     what a training that starts from now on brings; with ``.rows`` and, against a
                                         reference, ``.champion``, ``.anchor``, ``.previous`` or ``.baseline`` and
                                         the 95 % interval of the difference, ``.low`` and ``.high``
``candidate.takes``                      hours until it is there
=======================================  ==========================================================================

An empty cell says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.domain.errors import UserError
from controller.rulefmt.testcandidates import Against, RuleTestCandidate, RuleTestMetric
from controller.rulefmt.testcases import RuleTestEvent

_REFERENCES = ("champion", "anchor", "previous", "baseline")
_TAILS: Mapping[str, frozenset[str]] = {
    "decay": frozenset({"reference", "labels"}),
    "metric": frozenset({"n", "std", "reference"}),
    "candidate": frozenset({"rows", "low", "high", *_REFERENCES}),
}
_KNOWN = (
    "at, new_data, webhook, drift.COLUMN.DISTANCE, skew.COLUMN.DISTANCE, decay.METRIC, "
    "metric.METRIC, candidate.METRIC"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesRow:
    """One time of a series. ``candidate`` is what trainings bring that start from now on, None: as before."""

    at: datetime
    events: tuple[RuleTestEvent, ...] = ()
    candidate: RuleTestCandidate | None = None


def read_rows(name: str, table: Iterable[Mapping[str, Any]], first: int) -> list[SeriesRow]:
    """Rows in order; ``first`` is the number of the first one. UserError with row and column for what is wrong."""
    rows = list(table)
    if not rows:
        raise UserError(f"{name} has no rows.", hint="A series needs at least one.")
    columns = list(rows[0])
    _check_columns(name, columns)
    found: list[SeriesRow] = []
    for number, cells in enumerate(rows, start=first):
        row = _row(_Cells(name, number, cells), columns)
        if found and row.at < found[-1].at:
            raise UserError(f"{name}, row {number}: its time is before that of the row above.")
        found.append(row)
    return found


def _check_columns(place: str, columns: Iterable[str]) -> None:
    names = list(columns)
    if "at" not in names:
        raise UserError(
            f"{place} has no column `at` with the times.", hint=f"It has {', '.join(names)}."
        )
    for name in names:
        if not _is_known(name):
            raise UserError(
                f"{place}: the column `{name}` means nothing here.", hint=f"Known: {_KNOWN}."
            )


def _is_known(name: str) -> bool:
    kind, *rest = name.split(".")
    if kind in {"at", "new_data", "webhook"}:
        return not rest
    if kind in {"drift", "skew"}:
        return len(rest) == 2 and all(rest)
    tails = _TAILS.get(kind)
    return tails is not None and (
        (len(rest) == 1 and bool(rest[0])) or (len(rest) == 2 and rest[1] in tails)
    )


class _Cells:
    """One row's cells, with the place for a sentence about one of them."""

    def __init__(self, place: str, number: int, cells: Mapping[str, Any]) -> None:
        self._where = f"{place}, row {number}"
        self._cells = cells

    def text(self, name: str) -> str:
        value = self._cells.get(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str) -> float | None:
        text = self.text(name)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(f"{self._where}: `{name}` is {text!r}, a number was expected.")
        return value

    def time(self) -> datetime:
        value = self._cells.get("at")
        try:
            moment = (
                value if isinstance(value, datetime) else datetime.fromisoformat(self.text("at"))
            )
        except ValueError:
            raise UserError(
                f"{self._where}: `at` is {self.text('at')!r}, a time was expected.",
                hint="Write 2013-02-01T06:00Z.",
            ) from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _row(cells: _Cells, columns: list[str]) -> SeriesRow:
    return SeriesRow(
        at=cells.time(),
        events=tuple(_events(cells, columns)),
        candidate=_candidate(cells, columns),
    )


def _events(cells: _Cells, columns: list[str]) -> Iterator[RuleTestEvent]:
    rows = cells.number("new_data")
    if rows is not None:
        yield _event("new_data", {"rows": int(rows)})
    if cells.text("webhook"):
        yield _event("webhook", {"type": cells.text("webhook")})
    for kind in ("drift", "skew"):
        distances: dict[str, dict[str, float]] = {}
        for name in (n for n in columns if n.startswith(f"{kind}.")):
            value = cells.number(name)
            if value is not None:
                _, column, distance = name.split(".")
                distances.setdefault(column, {})[distance] = value
        if distances:
            yield _event(kind, {"columns": distances})
    for name in columns:
        kind, *rest = name.split(".")
        value = cells.number(name) if kind in {"decay", "metric"} and len(rest) == 1 else None
        if value is not None:
            yield _event(kind, {"metric": rest[0], "value": value, **_tails(cells, name, kind)})


def _tails(cells: _Cells, name: str, kind: str) -> dict[str, Any]:
    found = {tail: cells.number(f"{name}.{tail}") for tail in sorted(_TAILS[kind])}
    whole = {"labels", "n"}
    return {k: int(v) if k in whole else v for k, v in found.items() if v is not None}


def _event(kind: str, payload: Mapping[str, Any]) -> RuleTestEvent:
    return RuleTestEvent(at=timedelta(0), kind=kind, payload=payload)


def _candidate(cells: _Cells, columns: list[str]) -> RuleTestCandidate | None:
    names = {n.split(".")[1] for n in columns if n.startswith("candidate.")} - {"takes"}
    metrics = {
        name: measured
        for name in sorted(names)
        if (measured := _measured(cells, f"candidate.{name}")) is not None
    }
    if not metrics:
        return None
    takes = timedelta(hours=cells.number("candidate.takes") or 0.0)
    return RuleTestCandidate(takes=takes, metrics=metrics)


def _measured(cells: _Cells, name: str) -> RuleTestMetric | None:
    value = cells.number(name)
    if value is None:
        return None
    low, high = cells.number(f"{name}.low"), cells.number(f"{name}.high")
    interval = (low, high) if low is not None and high is not None else None
    against = {
        who: Against(value=reference, interval=interval)
        for who in _REFERENCES
        if (reference := cells.number(f"{name}.{who}")) is not None
    }
    rows = cells.number(f"{name}.rows")
    return RuleTestMetric(value=value, rows=1000 if rows is None else int(rows), against=against)
