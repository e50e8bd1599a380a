"""SQL of one column's bin: text in, text out, so that it can be read and tested without an engine.

Three habits of DuckDB that this file works around. ``histogram(x, edges)`` puts NaN into the
first bin, and takes a binary search a value where a grid takes one multiplication (measured: 3
times slower). ``COUNT(*) FILTER`` a bin is 20 times slower than one grouping. NaN poisons sums,
so that the special values get codes of their own and are never summed with the finite ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.domain.layouts import ColumnKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.domain.layouts import ColumnLayout, Grid

BELOW = -1
ABOVE = 100_000
NAN = 100_001
POSITIVE_INFINITY = 100_002
NEGATIVE_INFINITY = 100_003
INVALID = 100_004
NO_VALUE = -1_000_000
FIRST_ATOM = 200_000

LONGEST_VALUE = 200
"""Characters of a category that are kept; a longer one is its beginning and its digest."""

_TEXT_TYPES = ("VARCHAR", "ENUM", "UUID")
_NUMBER_TYPES = ("INT", "DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC", "BIGNUM")


def kind_of(sql_type: str) -> ColumnKind:
    """How a DuckDB type is counted, before the values are looked at (text may become a category)."""
    name = sql_type.upper()
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "INTERVAL", "LIST")):
        return ColumnKind.OPAQUE
    if name.startswith(_TEXT_TYPES):
        return ColumnKind.TEXT
    if name == "BOOLEAN":
        return ColumnKind.BOOLEAN
    if name.startswith(("TIMESTAMP", "DATE")):
        return ColumnKind.TIMESTAMP
    if any(part in name for part in _NUMBER_TYPES):
        return ColumnKind.NUMERIC
    return ColumnKind.OPAQUE


def is_integer(sql_type: str) -> bool:
    """Whether the type holds whole numbers only."""
    return "INT" in sql_type.upper() and kind_of(sql_type) is ColumnKind.NUMERIC


def has_time_zone(sql_type: str) -> bool:
    """Whether a time stamp type carries a zone."""
    return sql_type.upper().startswith("TIMESTAMP") and "TIME ZONE" in sql_type.upper()


def quote(name: str) -> str:
    """An identifier, safe for any name."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A string constant, safe for any text."""
    return "'" + text.replace("'", "''") + "'"


def number_literal(value: float) -> str:
    """A DOUBLE constant that reads back as the same bits; in brackets for its sign."""
    return f"({value!r}::DOUBLE)"


def number_of(name: str, found_type: str) -> str:
    """The column as a DOUBLE; text that is no number becomes NULL (see ``invalid_of``)."""
    kind = kind_of(found_type)
    if found_type.upper() == "DOUBLE":
        return quote(name)
    if kind in (ColumnKind.NUMERIC, ColumnKind.BOOLEAN):
        return f"{quote(name)}::DOUBLE"
    return f"TRY_CAST({quote(name)}::VARCHAR AS DOUBLE)"


def measured_of(name: str, found_type: str, kind: ColumnKind) -> str:
    """The number that a column of this kind is binned by: of text it is the length."""
    if kind is ColumnKind.TEXT:
        return f"length({quote(name)}::VARCHAR)::DOUBLE"
    return number_of(name, found_type)


def grid_code(value: str, grid: Grid) -> str:
    """A cell's number for a finite value in the grid's range; special codes for all others."""
    low, high = number_literal(grid.low), number_literal(grid.high)
    # TRY_CAST: the engine may compute a branch for rows that do not take it, and NaN has no integer.
    cell = f"TRY_CAST(floor(({value} - {low}) * {number_literal(1.0 / grid.step)}) AS INTEGER)"
    atoms = "".join(
        f"WHEN {value} = {number_literal(atom)} THEN {FIRST_ATOM + index} "
        for index, atom in enumerate(grid.atoms)
    )
    return (
        f"CASE {atoms}WHEN {value} >= {low} AND {value} < {high} THEN {cell} "
        f"{_special_cases(value, low)} END"
    )


def tree_code(value: str, edges: Sequence[float]) -> str:
    """A bin's number (0 lies between the first two edges), by a balanced tree of comparisons."""
    low, high = number_literal(edges[0]), number_literal(edges[-1])
    tree = _tree(value, edges, 0, len(edges) - 2)
    inside = f"WHEN {value} >= {low} AND {value} < {high} THEN {tree} " if len(edges) > 1 else ""
    return f"CASE {inside}{_special_cases(value, low)} END"


def _tree(value: str, edges: Sequence[float], first: int, last: int) -> str:
    if first >= last:
        return str(first)
    middle = (first + last) // 2
    return (
        f"CASE WHEN {value} < {number_literal(edges[middle + 1])} "
        f"THEN {_tree(value, edges, first, middle)} "
        f"ELSE {_tree(value, edges, middle + 1, last)} END"
    )


def _special_cases(value: str, low: str) -> str:
    """What lies outside: seldom reached, so that its cost does not count. NULL stays NULL."""
    return (
        f"WHEN {value} = '-infinity'::DOUBLE THEN {NEGATIVE_INFINITY} "
        f"WHEN {value} < {low} THEN {BELOW} "
        f"WHEN isnan({value}) THEN {NAN} "
        f"WHEN {value} = 'infinity'::DOUBLE THEN {POSITIVE_INFINITY} "
        f"WHEN {value} IS NOT NULL THEN {ABOVE}"
    )


def number_code(value: str, column: ColumnLayout) -> str:
    """The code of a number in the column's bins."""
    if column.grid is not None:
        return grid_code(value, column.grid)
    return tree_code(value, column.edges)


def key_of(name: str, found_type: str) -> str:
    """A category's key: its text, or for a long one the beginning with the digest of the whole."""
    if kind_of(found_type) is ColumnKind.BOOLEAN:
        return f"{quote(name)}::VARCHAR"
    text = quote(name) if found_type.upper() == "VARCHAR" else f"{quote(name)}::VARCHAR"
    return (
        f"CASE WHEN strlen({text}) > {LONGEST_VALUE} "
        f"THEN left({text}, {LONGEST_VALUE // 4}) || '… md5:' || md5({text}) ELSE {text} END"
    )


def listed_key(column: ColumnLayout, found_type: str) -> str:
    """The key of a category or boolean; what is no boolean keeps its text, and so is unseen."""
    if column.kind is ColumnKind.BOOLEAN and kind_of(found_type) is not ColumnKind.BOOLEAN:
        name = quote(column.name)
        return f"coalesce(TRY_CAST({name} AS BOOLEAN)::VARCHAR, {key_of(column.name, found_type)})"
    return key_of(column.name, found_type)


def cycle_of(name: str, found_type: str, layout_type: str) -> str:
    """The position of a time stamp in its cycle: the hour (UTC), or for dates the day of the week."""
    moment = moment_of(name, found_type)
    position = f"isodow({moment}) - 1" if layout_type.upper() == "DATE" else f"hour({moment})"
    return f"CASE WHEN isfinite({moment}) THEN {position} END"


def moment_of(name: str, found_type: str) -> str:
    """The column as a TIMESTAMP in UTC (the connection's zone is UTC); unreadable text is NULL."""
    if kind_of(found_type) is ColumnKind.TIMESTAMP:
        return f"{quote(name)}::TIMESTAMP"
    return f"TRY_CAST({quote(name)}::VARCHAR AS TIMESTAMP)"


def register_of(digest: str) -> str:
    """The sketch's register of a 64-bit digest: its low 12 bits."""
    return f"({digest} & 4095)::INTEGER"


def rank_of(digest: str) -> str:
    """Trailing zeros of the digest's upper 52 bits, plus one; exact, since a power of two has an exact log."""
    upper = f"({digest} >> 12)::BIGINT"
    return f"CASE WHEN {upper} = 0 THEN 53 ELSE log2({upper} & -{upper})::INTEGER + 1 END"
