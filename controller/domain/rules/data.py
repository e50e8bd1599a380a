"""The section ``data``: where rows come from and what their columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from controller.domain.keys import (
    Declared,
    Fault,
    Key,
    Keyed,
    Listed,
    Said,
    Section,
    Share,
    Text,
    narrowed,
)
from controller.domain.rules.vocabulary import (
    COLUMN,
    Address,
    ColumnName,
    Count,
    Fraction,
    MaybeNoTime,
)

_DEFAULT_FRACTION = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a batch must satisfy before it counts as data. ``column`` is None for the batch as a whole."""

    column: str | None
    check: str
    value: Any
    line: int = 0


class _Checks(Declared):
    """A section of which every key that stands there is an expectation."""

    __slots__ = ()

    def meant(self, said: Said) -> tuple[Expectation, ...]:
        """In the order of the text. A span becomes its seconds: JSON keeps the value."""
        found = ((key, getattr(self, key)) for key in said.keys)
        return tuple(
            Expectation(
                column=None,
                check=key,
                value=value.total_seconds() if isinstance(value, timedelta) else value,
                line=said.line_of(key),
            )
            for key, value in found
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnChecks(_Checks):
    """What every batch must satisfy in one column; a batch that breaks it is quarantined."""

    section: ClassVar[Section] = Section("data.expect.COLUMN")
    max_null_rate: Annotated[Fraction | None, Key("The largest share of missing values.", "0")] = (
        None
    )
    min: Annotated[int | float | None, Key("No value below this.", "0")] = None
    max: Annotated[int | float | None, Key("No value above this.", "5000")] = None
    allowed: Annotated[
        tuple[Any, ...] | None,
        Listed(least=1),
        Key("No value outside of this list.", "[EWR, JFK, LGA]"),
    ] = None
    unique: Annotated[bool | None, Key("No value twice in a batch.", "true")] = None
    type: Annotated[
        Literal["number", "integer", "text", "boolean", "timestamp"] | None,
        Key("What the column holds.", "number"),
    ] = None
    max_age: Annotated[
        timedelta | None,
        Key("The newest time in the column is not older than this when the batch is read.", "2d"),
    ] = None

    def faults(self, said: Said) -> Iterator[Fault]:
        """Bounds that nothing is between."""
        if self.min is not None and self.max is not None and self.min > self.max:
            message = (
                f"nothing satisfies `{said.where}`: min {self.min:g} is above max {self.max:g}"
            )
            yield Fault(("max",), "empty-range", message)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchChecks(_Checks):
    """What every batch must satisfy as a whole; a batch that breaks it is quarantined."""

    section: ClassVar[Section] = Section("data.expect_batch")
    min_rows: Annotated[Count | None, Key("At least so many rows.", "100")] = None
    max_rows: Annotated[Count | None, Key("At most so many rows.", "1000000")] = None
    sql: Annotated[
        str | None,
        Text("an SQL condition", longest=2000),
        Key(
            "A condition in DuckDB's SQL that is true for every row; a worker computes it.",
            '"arr_delay > -300 or cancelled"',
        ),
    ] = None

    def faults(self, said: Said) -> Iterator[Fault]:
        """Bounds that nothing is between."""
        low, high = self.min_rows, self.max_rows
        if low is not None and high is not None and low > high:
            message = f"nothing satisfies `{said.where}`: min_rows {low} is above max_rows {high}"
            yield Fault(("max_rows",), "empty-range", message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdout(Declared):
    """The newest labelled rows, kept from training, on which challenger and champion are compared.

    ``last`` is a span of the time column, ``fraction`` a share of rows.
    """

    section: ClassVar[Section] = Section("data.holdout")
    last: Annotated[timedelta | None, Key("The newest span of the time column.", "14d")] = None
    fraction: Annotated[
        float | None,
        Share(most=0.9, positive=True),
        Key(
            "The newest share of the rows (by time where a time column is named).",
            "20%",
            default_says="`20%` where `last` is not given",
        ),
    ] = None
    min_rows: Annotated[Count, Key("With fewer rows no gate can pass.", "5000")] = 100
    by: Annotated[
        Literal["time", "rows", "group"],
        Key(
            "What is kept together: the newest rows by time, the last rows as they come, or whole groups.",
            "group",
            default_says="`time` where `data.time` is given, else `rows`",
        ),
    ] = "time"
    group: Annotated[
        ColumnName | None,
        Key("The column whose values form the groups of `by: group`.", "customer_id"),
    ] = None

    def faults(self, said: Said) -> Iterator[Fault]:
        """Keys that ``by`` needs, or that mean nothing next to it."""
        where = said.where
        if self.by == "group" and self.group is None:
            yield Fault(
                ("by",), "missing-key", f"`{where}.by: group` needs `{where}.group: COLUMN`"
            )
        if self.group is not None and self.by != "group":
            message = f"`{where}.group` has an effect only with `by: group`"
            yield Fault(("group",), "without-effect", message)
        if self.last is not None and self.by != "time":
            message = f"`{where}.last` has an effect only with `by: time`"
            yield Fault(("last",), "without-effect", message, "use `fraction: 20%`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Served(Declared):
    """The serving log: what was asked of the model, and what it answered. `skew` and late labels need it.

    ``version`` names the column with the number of the version that answered. Rows meet the data by ``key``.
    """

    section: ClassVar[Section] = Section("data.served")
    source: Annotated[Address, Key("Where it is written, as `data.source`.", '"logs/*.parquet"')]
    time: Annotated[ColumnName | None, Key("When a row was served.", "served_at")] = None
    prediction: Annotated[
        ColumnName | None,
        Key(
            "What the model answered; joined by `data.key` with the label when it comes. Without it the champion "
            "is asked again.",
            "prediction",
        ),
    ] = None
    version: Annotated[
        ColumnName | None,
        Key(
            "The number of the version that answered; rows of others are left out.", "model_version"
        ),
    ] = None
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceKey:
    """All that looking at a source depends on: policies with equal keys are served by the same look.

    ``time`` is the column whose range is noted of what arrives.
    """

    address: str
    time: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSection(Declared):
    """Where rows come from and what their columns mean."""

    section: ClassVar[Section] = Section("data")
    source: Annotated[
        Address,
        Key(
            "Files (a path or glob, Parquet or CSV), a SQL table, a Delta or an Iceberg table.",
            '"data/flights/*.parquet"',
        ),
    ]
    target: Annotated[ColumnName, Key("The column to predict.", "arr_delay")]
    time: Annotated[
        ColumnName | None,
        Key("When a row happened; the holdout, windows and late labels follow it.", "time_hour"),
    ] = None
    key: Annotated[
        ColumnName | None,
        Key("Identifies a row; joins predictions with labels that come late.", "flight_id"),
    ] = None
    label_delay: Annotated[
        MaybeNoTime,
        Key(
            "How long after a row its label is known; younger rows are neither training nor holdout.",
            "2d",
        ),
    ] = timedelta(0)
    features: Annotated[
        tuple[ColumnName, ...] | None,
        Listed(least=1, unique=True),
        Key(
            "The columns that the model may see.",
            "[carrier, origin, dest]",
            default_says="all columns but target and key",
        ),
    ] = None
    expect: tuple[Expectation, ...] = ()
    holdout: Annotated[
        Holdout,
        Key(
            "The rows on which challenger and champion are compared.", "{last: 14d, min_rows: 5000}"
        ),
    ] = field(default_factory=Holdout)
    poll: Annotated[
        timedelta | None,
        Key(
            "How often the source is looked at where it cannot be watched.",
            "5m",
            default_says="the server's setting",
        ),
    ] = None
    line: int = 0
    served: Annotated[
        Served | None,
        Key("", '{source: "logs/*.parquet", time: served_at, prediction: prediction}'),
    ] = None

    @property
    def source_key(self) -> SourceKey:
        """Where rows are read, and how."""
        return SourceKey(address=self.source, time=self.time)


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenData(DataSection):
    """Where rows come from and what their columns mean."""

    columns: Annotated[
        Mapping[str, Annotated[tuple[Expectation, ...], ColumnChecks]],
        Keyed(COLUMN, "column"),
        Key(
            "What every batch must satisfy, by column.",
            "{carrier: {max_null_rate: 0}}",
            name="expect",
            before="holdout",
        ),
    ] = field(default_factory=dict)
    batch: Annotated[
        tuple[Expectation, ...],
        BatchChecks,
        Key(
            "What every batch must satisfy as a whole.",
            "{min_rows: 100}",
            name="expect_batch",
            before="holdout",
        ),
    ] = ()

    def faults(self, said: Said) -> Iterator[Fault]:
        """Columns that cannot be the same, and keys that need another one."""
        where = said.where
        for name, column in (("time", self.time), ("key", self.key)):
            if column == self.target:
                message = f"`{where}.{name}` and `{where}.target` name the same column `{column}`"
                yield Fault((name,), "same-column", message)
        if self.features and self.target in self.features:
            message = f"`{where}.features` contains the target `{self.target}`: the model would see the answer"
            yield Fault(("features",), "target-is-feature", message)
        for path, message in self._needs_time(said):
            if self.time is None:
                yield Fault(path, "no-time-column", message, "add `time: COLUMN`")
        if self.served is not None and self.served.prediction is not None and self.key is None:
            message = (
                f"`{where}.served.prediction` meets its label by `{where}.key`, which is missing"
            )
            yield Fault(("served", "prediction"), "missing-key", message, "add `key: COLUMN`")

    def _needs_time(self, said: Said) -> Iterator[tuple[tuple[str, ...], str]]:
        where = said.where
        if self.holdout.last is not None:
            message = (
                f"`{where}.holdout.last` is a span of time, and `{where}.time` names no column"
            )
            yield ("holdout", "last"), message
        if self.holdout.by == "time" and said.has("holdout", "by"):
            message = (
                f"`{where}.holdout.by: time` needs a column of time, and `{where}.time` is missing"
            )
            yield ("holdout", "by"), message
        if self.label_delay:
            message = f"`{where}.label_delay` needs to know when a row happened, and `{where}.time` is missing"
            yield ("label_delay",), message

    def meant(self, said: Said) -> DataSection:
        """With the expectations in one list, and the holdout that follows from the rest."""
        holdout = self.holdout
        if holdout.last is None and holdout.fraction is None:
            holdout = replace(holdout, fraction=_DEFAULT_FRACTION)
        if self.time is None and not said.has("holdout", "by"):
            holdout = replace(holdout, by="rows")
        by_column = (
            replace(each, column=column)
            for column, checks in self.columns.items()
            for each in checks
        )
        expect = (*self.batch, *by_column)
        return narrowed(self, DataSection, holdout=holdout, expect=expect)
