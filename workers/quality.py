"""Holds a batch against the `expect:` of its policy, in the same open scan that profiles it.

All checks of single rows are counted in one statement; only what is broken is looked at again, for
examples. A check that cannot be computed (a minimum on a column of text) has not passed: missing
evidence never passes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from controller.domain.errors import UserError
from controller.domain.layouts import ColumnKind, Layout
from controller.domain.quality import CheckResult, QualityReport, SchemaChange, SchemaChangeKind
from workers.profiles.batches import BatchData, Scan, ScanEngine, open_batch
from workers.profiles.counting import profile_scan
from workers.profiles.expressions import (
    has_time_zone,
    is_integer,
    kind_of,
    moment_of,
    number_literal,
    quote,
    text_literal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.domain.profiles import Profile
    from controller.domain.rules import Expectation

BROKEN_EXAMPLES = 5
LONGEST_EXAMPLE = 80

COLUMN_CHECKS = ("type", "max_null_rate", "min", "max", "allowed", "unique", "max_age")
BATCH_CHECKS = ("min_rows", "max_rows", "sql")

_KINDS = {
    "number": ColumnKind.NUMERIC,
    "text": ColumnKind.TEXT,
    "boolean": ColumnKind.BOOLEAN,
    "timestamp": ColumnKind.TIMESTAMP,
}


def check_batch(
    data: BatchData,
    expectations: Sequence[Expectation],
    *,
    now: datetime,
    layout: Layout | None = None,
    engine: ScanEngine | None = None,
) -> QualityReport:
    """The batch against its expectations, and against the layout's columns if one is given.

    Raises:
        UserError: the batch cannot be read, or an expectation makes no sense.
        NotFound: a file of it is not there.
    """
    with open_batch(data, engine or ScanEngine(), _text_columns(layout)) as scan:
        return _check_scan(scan, expectations, now, layout)


def check_and_profile(
    data: BatchData,
    expectations: Sequence[Expectation],
    *,
    now: datetime,
    layout: Layout,
    engine: ScanEngine | None = None,
) -> tuple[QualityReport, Profile]:
    """Both from one scan: text formats are parsed once."""
    with open_batch(data, engine or ScanEngine(), _text_columns(layout)) as scan:
        return _check_scan(scan, expectations, now, layout), profile_scan(scan, layout)


def _text_columns(layout: Layout | None) -> frozenset[str]:
    if layout is None:
        return frozenset()
    kinds = (ColumnKind.CATEGORY, ColumnKind.TEXT)
    return frozenset(column.name for column in layout.columns if column.kind in kinds)


def schema_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[SchemaChange, ...]:
    """How columns and their SQL types differ; the order of columns does not matter."""
    found = []
    for name, known in before.items():
        given = after.get(name)
        if given is None:
            found.append(_change(SchemaChangeKind.REMOVED, name, known, None))
        elif given != known and "NULL" not in (given, known):
            found.append(_change(SchemaChangeKind.TYPE_CHANGED, name, known, given))
    found += [
        _change(SchemaChangeKind.ADDED, name, None, given)
        for name, given in after.items()
        if name not in before
    ]
    return tuple(found)


def _change(
    kind: SchemaChangeKind, name: str, before: str | None, after: str | None
) -> SchemaChange:
    alike = before is not None and after is not None and kind_of(before) is kind_of(after)
    same_zone = alike and has_time_zone(str(before)) == has_time_zone(str(after))
    return SchemaChange(kind=kind, column=name, before=before, after=after, harmless=same_zone)


def _check_scan(
    scan: Scan, expectations: Sequence[Expectation], now: datetime, layout: Layout | None
) -> QualityReport:
    checker = _Checker(scan, now)
    results = checker.results(expectations)
    changes: tuple[SchemaChange, ...] = ()
    if layout is not None:
        known = {column.name: column.type for column in layout.columns}
        changes = schema_changes(known, checker.schema)
    return QualityReport(
        passed=all(result.passed for result in results),
        rows=checker.rows,
        results=tuple(results),
        schema_changes=changes,
    )


@dataclass(frozen=True, slots=True)
class _RowCheck:
    """A check that each row passes or breaks: the SQL that is true for a row that breaks it."""

    expectation: Expectation
    broken: str
    said: str


class _Checker:
    def __init__(self, scan: Scan, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("now must carry a time zone")
        self.scan = scan
        self.now = now.astimezone(UTC)
        self.schema: dict[str, str] = {}
        for piece in scan.pieces:
            self.schema = {**piece.schema, **self.schema}
        self.relation = " UNION ALL ".join(
            "SELECT "
            + ", ".join(
                f"{quote(name) if name in piece.schema else 'NULL'} AS {quote(name)}"
                for name in self.schema
            )
            + f" FROM {piece.relation}"
            for piece in scan.pieces
        )
        self.rows = int(scan.fetch(f"SELECT count(*) FROM ({self.relation})")[0][0])

    def results(self, expectations: Sequence[Expectation]) -> list[CheckResult]:
        done: dict[int, CheckResult] = {}
        row_checks: dict[int, _RowCheck] = {}
        for at, expectation in enumerate(expectations):
            found = self._prepare(expectation)
            if isinstance(found, _RowCheck):
                row_checks[at] = found
            else:
                done[at] = found
        done |= dict(zip(row_checks, self._count(list(row_checks.values())), strict=True))
        return [done[at] for at in range(len(expectations))]

    def _prepare(self, expectation: Expectation) -> _RowCheck | CheckResult:
        if expectation.column is None:
            return self._batch_check(expectation)
        if expectation.check not in COLUMN_CHECKS:
            raise UserError(
                f"there is no check {expectation.check!r} of a column;",
                hint=f"expected one of {', '.join(COLUMN_CHECKS)}.",
            )
        if expectation.column not in self.schema:
            return self._told(expectation, f"the batch has no column {expectation.column!r}")
        prepare = getattr(self, f"_check_{expectation.check}")
        found: _RowCheck | CheckResult = prepare(expectation, expectation.column)
        return found

    def _told(
        self,
        expectation: Expectation,
        message: str,
        *,
        passed: bool = False,
        failing: int | None = None,
    ) -> CheckResult:
        return CheckResult(
            column=expectation.column,
            check=expectation.check,
            expected=str(expectation.value),
            passed=passed,
            message=message,
            rows=self.rows,
            failing=failing,
            line=expectation.line,
        )

    # --- checks of the batch ------------------------------------------------------------------------

    def _batch_check(self, expectation: Expectation) -> _RowCheck | CheckResult:
        value = expectation.value
        if expectation.check == "min_rows":
            return self._told(
                expectation,
                f"{self.rows} rows, at least {value} expected",
                passed=self.rows >= value,
            )
        if expectation.check == "max_rows":
            return self._told(
                expectation,
                f"{self.rows} rows, at most {value} expected",
                passed=self.rows <= value,
            )
        if expectation.check == "sql":
            return self._check_sql(expectation)
        raise UserError(
            f"there is no check {expectation.check!r} of a batch;",
            hint=f"expected one of {', '.join(BATCH_CHECKS)}.",
        )

    def _check_sql(self, expectation: Expectation) -> _RowCheck | CheckResult:
        """An SQL condition that must be true for every row; unknown (NULL) is not true."""
        condition = str(expectation.value)
        try:
            statements = duckdb.extract_statements(f"SELECT ({condition}\n) FROM rows")
            if len(statements) != 1:
                return self._told(expectation, f"the condition {condition!r} is not one expression")
            self.scan.connection.execute(
                f"EXPLAIN SELECT count(*) FROM ({self.relation}) WHERE ({condition}\n) IS NOT TRUE"
            )
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            return self._told(
                expectation, f"the condition {condition!r} cannot be computed: {reason}"
            )
        return _RowCheck(expectation, f"({condition}\n) IS NOT TRUE", f"do not fulfil {condition}")

    # --- checks of a column -------------------------------------------------------------------------

    def _check_type(self, expectation: Expectation, name: str) -> CheckResult:
        given, wanted = self.schema[name], str(expectation.value)
        if wanted == "integer":
            passed = is_integer(given)
        elif wanted in _KINDS:
            passed = kind_of(given) is _KINDS[wanted]
        else:
            passed = given.upper() == wanted.upper()
        return self._told(expectation, f"the type is {given}, {wanted} expected", passed=passed)

    def _check_max_null_rate(self, expectation: Expectation, name: str) -> CheckResult:
        absent = self._absent(name)
        failing = int(
            self.scan.fetch(f"SELECT count(CASE WHEN {absent} THEN 1 END) FROM ({self.relation})")[
                0
            ][0]
        )
        rate = failing / self.rows if self.rows else 0.0
        allowed = float(expectation.value)
        return self._told(
            expectation,
            f"{failing} of {self.rows} values are missing ({rate:.2%}), at most {allowed:.2%} expected",
            passed=rate <= allowed,
            failing=failing,
        )

    def _absent(self, name: str) -> str:
        """True for null, and for NaN where the column is a float."""
        column = quote(name)
        if self.schema[name].upper() in ("DOUBLE", "FLOAT"):
            return f"({column} IS NULL OR isnan({column}))"
        return f"{column} IS NULL"

    def _check_min(self, expectation: Expectation, name: str) -> _RowCheck | CheckResult:
        return self._bounded(expectation, name, "<", "are below")

    def _check_max(self, expectation: Expectation, name: str) -> _RowCheck | CheckResult:
        return self._bounded(expectation, name, ">", "are above")

    def _bounded(
        self, expectation: Expectation, name: str, beyond: str, said: str
    ) -> _RowCheck | CheckResult:
        given, value = self.schema[name], expectation.value
        said = f"{said} {value}"
        if isinstance(value, datetime):
            if kind_of(given) is not ColumnKind.TIMESTAMP:
                return self._told(
                    expectation, f"{name} is {given}, no time to compare with {value}"
                )
            limit = (
                f"TIMESTAMP {text_literal(value.astimezone(UTC).replace(tzinfo=None).isoformat())}"
            )
            return _RowCheck(expectation, f"{moment_of(name, given)} {beyond} {limit}", said)
        if given == "NULL":
            return _RowCheck(expectation, "FALSE", said)
        if kind_of(given) is not ColumnKind.NUMERIC:
            return self._told(expectation, f"{name} is {given}, no number to compare with {value}")
        limit = number_literal(float(value))
        absent = self._absent(name)
        return _RowCheck(expectation, f"NOT ({absent}) AND {quote(name)} {beyond} {limit}", said)

    def _check_allowed(self, expectation: Expectation, name: str) -> _RowCheck | CheckResult:
        values = list(expectation.value)
        if not values:
            return self._told(expectation, "the list of allowed values is empty")
        column = quote(name)
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        numeric = kind_of(self.schema[name]) is ColumnKind.NUMERIC
        if numeric and numbers:  # closed-set: whatever is no number is compared as text
            listed = ", ".join(number_literal(float(v)) for v in values)
        else:
            column = f"{column}::VARCHAR"
            texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
            listed = ", ".join(map(text_literal, texts))
        shown = ", ".join(map(str, values[:5])) + (", …" if len(values) > 5 else "")
        return _RowCheck(
            expectation,
            f"NOT ({self._absent(name)}) AND {column} NOT IN ({listed})",
            f"are none of {shown}",
        )

    def _check_unique(self, expectation: Expectation, name: str) -> CheckResult:
        if not expectation.value:
            return self._told(expectation, "not asked for", passed=True)
        grouped = (
            f"SELECT {quote(name)} AS value, count(*) AS times FROM ({self.relation}) "
            f"WHERE NOT ({self._absent(name)}) GROUP BY ALL HAVING count(*) > 1"
        )
        extra, values = self.scan.fetch(
            f"SELECT coalesce(sum(times - 1), 0)::BIGINT, count(*) FROM ({grouped})"
        )[0]
        found = self._told(
            expectation,
            f"{values} values come more than once ({extra} rows too many)",
            passed=not extra,
            failing=int(extra),
        )
        return (
            found
            if found.passed
            else self._with_examples(found, f"SELECT * FROM ({grouped})", "times DESC, value")
        )

    def _check_max_age(self, expectation: Expectation, name: str) -> CheckResult:
        """Freshness: the newest value is not older than ``max_age``."""
        given, value = self.schema[name], expectation.value
        limit = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
        if kind_of(given) is not ColumnKind.TIMESTAMP:
            return self._told(expectation, f"{name} is {given}, no time whose age could be told")
        moment = moment_of(name, given)
        newest = self.scan.fetch(
            f"SELECT max(CASE WHEN isfinite({moment}) THEN {moment} END) FROM ({self.relation})"
        )[0][0]
        if newest is None:
            return self._told(expectation, f"{name} holds no time at all")
        age = self.now - newest.replace(tzinfo=UTC)
        return self._told(
            expectation,
            f"the newest value is {age} old, at most {limit} expected",
            passed=age <= limit,
        )

    # --- rows that break something --------------------------------------------------------------------

    def _count(self, checks: list[_RowCheck]) -> list[CheckResult]:
        """All in one statement, as CASE: ``COUNT(*) FILTER`` is many times slower."""
        if not checks:
            return []
        counted = ", ".join(f"count(CASE WHEN {check.broken} THEN 1 END)" for check in checks)
        numbers = self.scan.fetch(f"SELECT {counted} FROM ({self.relation})")[0]
        return [self._row_result(check, int(n)) for check, n in zip(checks, numbers, strict=True)]

    def _row_result(self, check: _RowCheck, failing: int) -> CheckResult:
        found = self._told(
            check.expectation,
            f"{failing} of {self.rows} rows {check.said}",
            passed=failing == 0,
            failing=failing,
        )
        if not failing:
            return found
        return self._with_examples(
            found, f"SELECT * FROM ({self.relation}) WHERE {check.broken}", order=None
        )

    def _with_examples(self, found: CheckResult, query: str, order: str | None) -> CheckResult:
        ordered = f" ORDER BY {order}" if order else ""
        cursor = self.scan.connection.execute(
            f"SELECT COLUMNS(*)::VARCHAR FROM ({query}{ordered} LIMIT {BROKEN_EXAMPLES})"
        )
        names = [column[0] for column in cursor.description or ()]
        return replace(
            found,
            examples=tuple(
                {name: _shown(value) for name, value in zip(names, row, strict=True)}
                for row in cursor.fetchall()
            ),
        )


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"
