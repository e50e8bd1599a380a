"""What one batch looks like: counts into the bins of a layout, which add up over batches.

Null, NaN, infinities, values of a wrong type and values never seen in the reference are bins
like any other, because missing data is drift. A profile is written by the workers, stored
as JSON with the snapshot and the model version, and read by the control plane and the page;
hence the standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Self

from controller.domain.errors import IntegrityError, UserError
from controller.domain.layouts import ColumnKind, check_version
from controller.domain.sketch import DistinctSketch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROFILE_VERSION = 1
"""The version of the JSON form; raised when a field changes its meaning."""

UNSEEN_EXAMPLES = 5
"""How many values never seen before are kept as examples."""


class ColumnProblem(StrEnum):
    """Why a column could not be counted as the layout expects it."""

    MISSING = "missing"
    TYPE_CHANGED = "type_changed"
    TIME_ZONE_CHANGED = "time_zone_changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnProfile:
    """The counts of one column. ``rows`` is the sum of all bins, the special ones included."""

    name: str
    kind: ColumnKind
    rows: int
    bins: tuple[int, ...] = ()
    nulls: int = 0
    nan: int = 0
    positive_infinity: int = 0
    negative_infinity: int = 0
    invalid: int = 0
    """Values that cannot be read as the layout's type (a word in a column of numbers)."""
    other: int = 0
    """Values of the reference that have no bin of their own."""
    unseen: int = 0
    """Values that the reference never had."""
    total: float = 0.0
    """Sum of the finite values (of the lengths, for text)."""
    squares: float = 0.0
    """Sum of their squares."""
    minimum: float | None = None
    maximum: float | None = None
    """Of the finite values; seconds since 1970 for time stamps, characters for text."""
    sketch: DistinctSketch | None = None
    examples: tuple[tuple[str, int], ...] = ()
    """Unseen values and their rows, the most frequent first."""
    problem: ColumnProblem | None = None
    found_type: str = ""
    """The batch's SQL type where ``problem`` is set."""

    @property
    def valid(self) -> int:
        """Rows that hold a comparable value: neither null, NaN nor of a wrong type."""
        return self.rows - self.nulls - self.nan - self.invalid

    @property
    def finite(self) -> int:
        """Rows that ``total`` and ``squares`` sum up."""
        return self.valid - self.positive_infinity - self.negative_infinity

    @property
    def null_rate(self) -> float | None:
        """Share of rows that are null or NaN; None without rows."""
        return (self.nulls + self.nan) / self.rows if self.rows else None

    @property
    def mean(self) -> float | None:
        """Mean of the finite values."""
        return self.total / self.finite if self.finite else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the finite values (population form, from the two sums)."""
        if not self.finite:
            return None
        mean = self.total / self.finite
        return math.sqrt(max(self.squares / self.finite - mean * mean, 0.0))

    @property
    def distinct(self) -> int | None:
        """Estimated number of distinct values; None where it is not kept."""
        return None if self.sketch is None else min(self.sketch.estimate(), self.rows)

    def add(self, other: Self) -> ColumnProfile:
        """The profile of both batches together; the later problem is kept."""
        sketches = [s for s in (self.sketch, other.sketch) if s is not None]
        seen: dict[str, int] = {}
        for value, rows in (*self.examples, *other.examples):
            seen[value] = seen.get(value, 0) + rows
        best = sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:UNSEEN_EXAMPLES]
        return ColumnProfile(
            name=self.name,
            kind=self.kind,
            bins=_add_bins(self.bins, other.bins),
            **{count: getattr(self, count) + getattr(other, count) for count in _COUNTS},
            total=self.total + other.total,
            squares=self.squares + other.squares,
            minimum=_least(self.minimum, other.minimum, min),
            maximum=_least(self.maximum, other.maximum, max),
            sketch=reduce(DistinctSketch.merge, sketches) if sketches else None,
            examples=tuple(best),
            problem=other.problem or self.problem,
            found_type=other.found_type or self.found_type,
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON form; counts of zero and fields without a value are left out."""
        found: dict[str, Any] = {"name": self.name, "kind": self.kind.value}
        found |= {count: getattr(self, count) for count in _COUNTS if getattr(self, count)}
        if self.bins:
            found["bins"] = list(self.bins)
        for number in ("total", "squares", "minimum", "maximum"):
            value = getattr(self, number)
            if value is not None:
                found[number] = value if math.isfinite(value) else repr(value)
        if self.sketch is not None:
            found["sketch"] = self.sketch.to_text()
        if self.examples:
            found["examples"] = [list(example) for example in self.examples]
        if self.problem is not None:
            found |= {"problem": self.problem.value, "found_type": self.found_type}
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The profile that ``to_json`` wrote."""
        sketch, problem = found.get("sketch"), found.get("problem")
        return cls(
            name=found["name"],
            kind=ColumnKind(found["kind"]),
            bins=tuple(map(int, found.get("bins", ()))),
            **{count: int(found.get(count, 0)) for count in _COUNTS},
            total=float(found.get("total", 0.0)),
            squares=float(found.get("squares", 0.0)),
            minimum=_number(found.get("minimum")),
            maximum=_number(found.get("maximum")),
            sketch=None if sketch is None else DistinctSketch.from_text(sketch),
            examples=tuple((str(value), int(rows)) for value, rows in found.get("examples", ())),
            problem=None if problem is None else ColumnProblem(problem),
            found_type=found.get("found_type", ""),
        )


_COUNTS = (
    "rows",
    "nulls",
    "nan",
    "positive_infinity",
    "negative_infinity",
    "invalid",
    "other",
    "unseen",
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The counts of a batch, or of many: ``batches`` says how many were added.

    ``layout`` is the digest of the layout that was counted into. ``extra`` are columns (with
    their types) that the layout does not know; they are named and not counted.
    """

    layout: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    batches: int = 1
    extra: tuple[tuple[str, str], ...] = field(default=())

    @cached_property
    def by_name(self) -> dict[str, ColumnProfile]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    def merge(self, other: Self) -> Profile:
        """The profile of both together.

        Raises:
            UserError: the two were counted into different bins.
        """
        if self.layout != other.layout:
            raise UserError(
                f"a profile of layout {self.layout[:12]} cannot be added to one of "
                f"{other.layout[:12]}: their bins differ;",
                hint="count both with the same layout.",
            )
        known = dict(self.extra)
        return replace(
            self,
            rows=self.rows + other.rows,
            batches=self.batches + other.batches,
            columns=tuple(a.add(b) for a, b in zip(self.columns, other.columns, strict=True)),
            extra=(*self.extra, *((n, t) for n, t in other.extra if n not in known)),
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": PROFILE_VERSION,
            "layout": self.layout,
            "rows": self.rows,
            "batches": self.batches,
            "columns": [column.to_json() for column in self.columns],
            "extra": [list(column) for column in self.extra],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The profile that ``to_json`` wrote.

        Raises:
            IntegrityError: another version, or fields are missing or of a wrong type.
        """
        check_version(found, PROFILE_VERSION, "profile")
        try:
            return cls(
                layout=found["layout"],
                rows=int(found["rows"]),
                batches=int(found["batches"]),
                columns=tuple(ColumnProfile.from_json(column) for column in found["columns"]),
                extra=tuple((str(name), str(kind)) for name, kind in found["extra"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the stored profile cannot be read: {error!r}") from error


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """The sum of any window of batches.

    Raises:
        UserError: there is no profile, or their layouts differ.
    """
    window = list(profiles)
    if not window:
        raise UserError("there is no profile to add up;", hint="name a window that holds a batch.")
    return reduce(Profile.merge, window)


def _add_bins(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """Bins added one by one; a column that could not be counted has none."""
    if not first or not second:
        return first or second
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _least(first: float | None, second: float | None, choose: Any) -> float | None:
    present = [value for value in (first, second) if value is not None]
    return choose(present) if present else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
