"""The same profile, computed where the data lives: one Ibis expression for any engine it speaks.

A union of one grouping a column over a CASE: no row leaves the engine, only some hundred counts a
column do. The bins are those of ``workers.profiles.counting``, so the profile may be added to and
compared with one that DuckDB counted from files. Two things are left out, since no function for
them is the same on every engine: the sketch of distinct values, and examples of unseen ones.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np

from controller.domain.errors import Unavailable, UserError
from controller.domain.layouts import ColumnKind, ColumnLayout, Layout
from controller.domain.profiles import ColumnProblem, ColumnProfile, Profile
from workers.profiles import expressions as codes
from workers.profiles.counting import column_of_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS = -1
LARGEST = sys.float_info.max
LARGEST_SQUARED = 1e150
_OTHER, _UNSEEN = -3, -2
_MEASURED = (ColumnKind.NUMERIC, ColumnKind.TEXT, ColumnKind.TIMESTAMP)


def profile_expression(table: Any, layout: Layout) -> Any:
    """The counts of ``table`` (an ``ibis.Table``) as a table of c, b, n, s, q, lo, hi.

    c is the position of the column (-1: all rows), b its code, n the rows, s and q the sum and the
    sum of squares of the values, lo and hi their ends.
    """
    parts = [_part(table, _ROWS, ibis.literal(0), None)]
    for at, column in enumerate(layout.columns):
        if column.name in table.columns:
            code, value = _code_and_value(table[column.name], column)
            parts.append(_part(table, at, code, value))
    return ibis.union(*parts, distinct=False) if len(parts) > 1 else parts[0]


def make_ibis_profile(table: Any, layout: Layout) -> Profile:
    """The profile of an Ibis table, counted by its engine.

    Raises:
        UserError: the table has no column of the layout.
        Unavailable: the engine failed, or went away in the middle.
    """
    present = [column for column in layout.columns if column.name in table.columns]
    if layout.columns and not present:
        raise UserError(
            f"the table has none of the expected columns ({layout.columns[0].name}, …), "
            f"it has {', '.join(list(table.columns)[:5])};",
            hint="is this the table of another model?",
        )
    try:
        found = profile_expression(table, layout).to_pyarrow()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Unavailable(
            f"the engine did not count the table: {reason};", hint="try again."
        ) from error
    groups = {
        name: found.column(name).to_numpy(zero_copy_only=False) for name in found.column_names
    }
    rows = int(groups["n"][groups["c"] == _ROWS].sum())
    columns = tuple(
        _column(table, column, {k: v[groups["c"] == at] for k, v in groups.items()}, rows)
        for at, column in enumerate(layout.columns)
    )
    return Profile(
        layout=layout.digest,
        rows=rows,
        columns=columns,
        extra=tuple(
            (name, str(kind)) for name, kind in table.schema().items() if name not in layout.by_name
        ),
    )


def _part(table: Any, at: int, code: Any, value: Any) -> Any:
    """One grouping: the rows of each code, and the sums and ends of its values."""
    measured = ibis.null("float64") if value is None else value.cast("float64")
    grouped = table.select(b=code.cast("int64"), v=measured)
    # PostgreSQL refuses to square what overflows; so large a value has no sum of squares anywhere
    square = ibis.cases((grouped.v.abs() <= LARGEST_SQUARED, grouped.v * grouped.v))
    counted = grouped.group_by("b").agg(
        n=grouped.count(),
        s=grouped.v.sum(),
        q=square.sum(),
        lo=grouped.v.min(),
        hi=grouped.v.max(),
    )
    return counted.mutate(c=ibis.literal(at, "int64")).select("c", "b", "n", "s", "q", "lo", "hi")


def _code_and_value(column: Any, layout: ColumnLayout) -> tuple[Any, Any]:
    """The code of each row (null for null), and the number to sum up where there is one."""
    kind = column.type()
    filled = ibis.cases((column.notnull(), codes.INVALID))
    if layout.kind is ColumnKind.OPAQUE:
        return ibis.cases((column.notnull(), 0)), None
    if layout.kind in (ColumnKind.CATEGORY, ColumnKind.BOOLEAN):
        return _listed(column, layout), None
    if layout.kind is ColumnKind.TIMESTAMP:
        if not (kind.is_timestamp() or kind.is_date()):
            return filled, None
        cycle = column.day_of_week.index() if layout.type.upper() == "DATE" else column.hour()
        moment = column.cast("timestamp") if kind.is_date() else column
        return ibis.cases((column.notnull(), cycle.cast("int64"))), moment.epoch_seconds()
    if layout.kind is ColumnKind.TEXT:
        if not kind.is_string():
            return filled, None
        value = column.length().cast("float64")
    elif kind.is_numeric() or kind.is_boolean():
        value = column.cast("int8").cast("float64") if kind.is_boolean() else column.cast("float64")
    else:
        return filled, None
    return _number(value, layout, floating=kind.is_floating()), value


def _listed(column: Any, layout: ColumnLayout) -> Any:
    """A category's place in the list; booleans compare as booleans, all others as text."""
    known = list(enumerate(layout.categories))
    if column.type().is_boolean():
        branches = [(column == (text == "true"), place) for place, text in known]
    else:
        text = column if column.type().is_string() else column.cast("string")
        branches = [(text == value, place) for place, value in known]
        if layout.rare:
            branches.append((text.isin(list(layout.rare)), _OTHER))
    return ibis.cases((column.isnull(), ibis.null("int64")), *branches, else_=_UNSEEN)


def _number(value: Any, layout: ColumnLayout, *, floating: bool) -> Any:
    """NaN and the infinities are asked for first: engines do not agree how they compare.

    NaN before null, since Ibis calls NaN null on Spark; infinities as what is beyond the largest
    number, since Ibis cannot say them on Spark.
    """
    special: list[tuple[Any, Any]] = []
    if floating:
        special += [
            (value.isnan(), codes.NAN),
            (value > LARGEST, codes.POSITIVE_INFINITY),
            (value < -LARGEST, codes.NEGATIVE_INFINITY),
        ]
    special.append((value.isnull(), ibis.null("int64")))
    if layout.grid is not None:
        grid = layout.grid
        atoms = [(value == atom, codes.FIRST_ATOM + at) for at, atom in enumerate(grid.atoms)]
        inside = ((value - grid.low) * (1.0 / grid.step)).floor().cast("int64")
        ends = [(value < grid.low, codes.BELOW), (value >= grid.high, codes.ABOVE)]
        return ibis.cases(*special, *atoms, *ends, else_=inside)
    edges = layout.edges
    ends = [(value < edges[0], codes.BELOW), (value >= edges[-1], codes.ABOVE)]
    if len(edges) == 1:
        return ibis.cases(*special, ends[0], else_=codes.ABOVE)
    return ibis.cases(*special, *ends, else_=_tree(value, edges, 0, len(edges) - 2))


def _tree(value: Any, edges: Sequence[float], first: int, last: int) -> Any:
    if first >= last:
        return ibis.literal(first, "int64")
    middle = (first + last) // 2
    lower, upper = _tree(value, edges, first, middle), _tree(value, edges, middle + 1, last)
    return ibis.cases((value < edges[middle + 1], lower), else_=upper)


# --- from the engine's counts to a profile --------------------------------------------------------------


def _column(table: Any, layout: ColumnLayout, groups: dict[str, Any], rows: int) -> ColumnProfile:
    if layout.name not in table.columns:
        return ColumnProfile(
            name=layout.name,
            kind=layout.kind,
            rows=rows,
            nulls=rows,
            bins=(0,) * layout.bins,
            problem=ColumnProblem.MISSING,
        )
    absent = np.array([value is None or value != value for value in groups["b"]], dtype=bool)  # noqa: PLR0124
    code = np.where(absent, codes.NO_VALUE, np.where(absent, 0, groups["b"])).astype(np.int64)
    counts = groups["n"].astype(np.int64)
    if layout.kind in _MEASURED:
        sums = {"n": counts, **{k: _floats(groups[k]) for k in ("s", "q")}}
        ends = {key: np.ma.masked_invalid(_floats(groups[key])) for key in ("lo", "hi")}
        found = column_of_codes(layout, code, sums, ends, rows)
    else:
        found = _listed_column(layout, code, counts, rows)
    given = table[layout.name].type()
    if found.nulls == rows or not _changed(layout, given):
        return found
    return replace(found, problem=ColumnProblem.TYPE_CHANGED, found_type=str(given))


def _floats(values: Any) -> Any:
    return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)


def _listed_column(layout: ColumnLayout, code: Any, counts: Any, rows: int) -> ColumnProfile:
    def rows_of(wanted: int) -> int:
        return int(counts[code == wanted].sum())

    unseen, complete = rows_of(_UNSEEN), layout.rare_complete
    return ColumnProfile(
        name=layout.name,
        kind=layout.kind,
        rows=rows,
        bins=tuple(rows_of(place) for place in range(layout.bins)),
        nulls=rows_of(codes.NO_VALUE),
        other=rows_of(_OTHER) + (0 if complete else unseen),
        unseen=unseen if complete and layout.kind is not ColumnKind.OPAQUE else 0,
    )


def _changed(layout: ColumnLayout, given: Any) -> bool:
    """Whether the engine's type is of another kind than the reference's."""
    known = codes.kind_of(layout.type)
    if given.is_numeric():
        kind = ColumnKind.NUMERIC
    elif given.is_boolean():
        kind = ColumnKind.BOOLEAN
    elif given.is_timestamp() or given.is_date():
        kind = ColumnKind.TIMESTAMP
    elif given.is_string() or given.is_uuid():
        kind = ColumnKind.TEXT
    else:
        kind = ColumnKind.OPAQUE
    return kind is not known
