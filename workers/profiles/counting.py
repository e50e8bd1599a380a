"""Counts a batch into the bins of a layout: one grouping a column, each column read once.

A group is (column, code); the codes of ``workers.profiles.expressions`` keep NaN, infinities and
unreadable values apart, so that the sums of the finite values stay finite. Grid cells are added
up into bins here, after DuckDB has counted them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from controller.domain.errors import UserError
from controller.domain.layouts import ColumnKind, Layout
from controller.domain.profiles import UNSEEN_EXAMPLES, ColumnProblem, ColumnProfile, Profile
from controller.domain.sketch import REGISTERS, DistinctSketch
from workers.profiles import expressions as sql
from workers.profiles.batches import BatchData, ScanEngine, open_batch
from workers.profiles.failures import explained
from workers.profiles.layouts import COLUMNS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from controller.domain.layouts import ColumnLayout
    from workers.profiles.batches import Piece, Scan

_MEASURED = (ColumnKind.NUMERIC, ColumnKind.TEXT, ColumnKind.TIMESTAMP)
_LISTED = (ColumnKind.CATEGORY, ColumnKind.BOOLEAN)
_OTHER, _UNSEEN = -1, -2

WIDE = 200
"""From this many columns on, some are copied aside before they are counted."""


def make_profile(data: BatchData, layout: Layout, engine: ScanEngine | None = None) -> Profile:
    """The counts of ``data`` in the bins of ``layout``.

    A column that is missing or has changed its type is counted as far as it can be and says so
    in ``ColumnProfile.problem``. A batch without rows gives a profile of zeros.

    Raises:
        UserError: the batch cannot be read, or has no column of the layout at all.
        NotFound: a file of it is not there.
    """
    as_text = frozenset(
        column.name
        for column in layout.columns
        if column.kind in (ColumnKind.CATEGORY, ColumnKind.TEXT)
    )
    with open_batch(data, engine or ScanEngine(), as_text) as scan:
        return profile_scan(scan, layout)


def profile_scan(scan: Scan, layout: Layout) -> Profile:
    """The same for a batch that is open already (quality checks share it)."""
    found: Profile | None = None
    for piece in scan.pieces:
        part = _PieceCounter(scan, piece, layout).profile()
        found = part if found is None else replace(found.merge(part), batches=1)
    if found is None:
        raise UserError(f"{scan.title} holds no file;", hint="give at least one path.")
    return found


@dataclass(slots=True)
class _PieceCounter:
    scan: Scan
    piece: Piece
    layout: Layout

    def profile(self) -> Profile:
        present = [c for c in self.layout.columns if c.name in self.piece.schema]
        if not present and self.layout.columns:
            raise self._foreign()
        rows = int(self.scan.fetch(f"SELECT count(*) FROM {self.piece.relation}")[0][0])
        found: dict[str, ColumnProfile] = {}
        for some in _chunks([c for c in present if c.kind in _MEASURED]):
            relation = self._narrowed(some)
            found |= {c.name: c for c in self._measured(some, rows, relation)}
        for some in _chunks([c for c in present if c.kind in _LISTED]):
            relation = self._narrowed(some)
            found |= {c.name: c for c in self._listed(some, rows, relation)}
        for some in _chunks([c for c in present if c.kind is ColumnKind.OPAQUE]):
            found |= {c.name: c for c in self._opaque(some, rows)}
        for column in self.layout.columns:
            if column.name not in found:
                found[column.name] = ColumnProfile(
                    name=column.name,
                    kind=column.kind,
                    rows=rows,
                    nulls=rows,
                    bins=(0,) * column.bins,
                    problem=ColumnProblem.MISSING,
                )
        return Profile(
            layout=self.layout.digest,
            rows=rows,
            columns=tuple(
                self._judged(column, found[column.name]) for column in self.layout.columns
            ),
            extra=tuple(
                (name, kind)
                for name, kind in self.piece.schema.items()
                if name not in self.layout.by_name
            ),
        )

    def _narrowed(self, columns: list[ColumnLayout]) -> str:
        """A relation for these columns: the piece itself, or for a wide one a copy of the columns.

        Each branch of a union binds every column of its relation: 10,000 branches on 10,000 columns
        would take minutes.
        """
        if len(self.piece.schema) <= WIDE:
            return self.piece.relation
        names = ", ".join(sql.quote(column.name) for column in columns)
        with explained(self.piece.title):
            self.scan.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE narrowed AS SELECT {names} FROM {self.piece.relation}"
            )
        return "narrowed"

    def _foreign(self) -> UserError:
        names = list(self.piece.schema)
        expected = ", ".join(column.name for column in self.layout.columns[:5])
        shown = ", ".join(repr(name[:60]) for name in names[:5])
        hint = (
            "is the delimiter another one? Say which with `delimiter`."
            if len(names) == 1 and not self.piece.typed
            else "is this the batch of another model?"
        )
        return UserError(
            f"{self.piece.title} has none of the expected columns ({expected}, …), "
            f"it has {len(names)}: {shown};",
            hint=hint,
        )

    def _judged(self, column: ColumnLayout, found: ColumnProfile) -> ColumnProfile:
        """``found`` with the name of what is wrong with its type, if anything is."""
        known, given = column.type, self.piece.schema.get(column.name)
        if found.problem is not None or given is None or found.nulls == found.rows:
            return found
        problem: ColumnProblem | None = None
        if sql.kind_of(known) is not sql.kind_of(given):
            harmless = (
                not self.piece.typed and not found.invalid and column.kind is not ColumnKind.OPAQUE
            )
            problem = None if harmless else ColumnProblem.TYPE_CHANGED
        elif sql.has_time_zone(known) != sql.has_time_zone(given):
            problem = ColumnProblem.TIME_ZONE_CHANGED
        return found if problem is None else replace(found, problem=problem, found_type=given)

    # --- numbers, lengths and moments ---------------------------------------------------------------

    def _measured(
        self, columns: list[ColumnLayout], rows: int, relation: str
    ) -> Iterator[ColumnProfile]:
        query = " UNION ALL ".join(
            f"SELECT {at}::INTEGER AS c, {code} AS b, count(*) AS n, sum({value}) AS s, "
            f"sum({value} * {value}) AS q, min({value}) AS lo, max({value}) AS hi "
            f"FROM {relation} GROUP BY ALL"
            for at, (value, code) in enumerate(map(self._value_and_code, columns))
        )
        with explained(self.piece.title):
            groups = self.scan.connection.execute(query).fetchnumpy()
        code = np.ma.filled(np.ma.asarray(groups["b"]), sql.NO_VALUE).astype(np.int64)
        sketches = self._sketches([c for c in columns if c.kind is ColumnKind.TEXT], relation)
        for at, column in enumerate(columns):
            mine = np.asarray(groups["c"]) == at
            table = {key: np.ma.filled(np.ma.asarray(groups[key])[mine], 0) for key in "nsq"}
            ends = {key: np.ma.asarray(groups[key])[mine] for key in ("lo", "hi")}
            yield replace(
                column_of_codes(column, code[mine], table, ends, rows),
                sketch=sketches.get(column.name),
            )

    def _value_and_code(self, column: ColumnLayout) -> tuple[str, str]:
        name, given = column.name, self.piece.schema[column.name]
        match column.kind:
            case ColumnKind.NUMERIC | ColumnKind.TEXT:
                value = sql.measured_of(name, given, column.kind)
                code = sql.number_code(value, column)
                readable = {ColumnKind.NUMERIC, ColumnKind.BOOLEAN}
            case ColumnKind.TIMESTAMP:
                moment = sql.moment_of(name, given)
                value = f"CASE WHEN isfinite({moment}) THEN epoch({moment}) END"
                code = f"coalesce({sql.cycle_of(name, given, column.type)}, CASE WHEN {moment} > '2000-01-01' "
                code += f"THEN {sql.POSITIVE_INFINITY} WHEN {moment} IS NOT NULL THEN {sql.NEGATIVE_INFINITY} END)"
                readable = {ColumnKind.TIMESTAMP}
            case ColumnKind.CATEGORY | ColumnKind.BOOLEAN | ColumnKind.OPAQUE:
                raise ValueError(f"{column.kind.value} is not counted by a value of each row")
            case _:
                assert_never(column.kind)
        if column.kind is not ColumnKind.TEXT and sql.kind_of(given) not in readable:
            code = f"CASE WHEN {value} IS NULL AND {sql.quote(name)} IS NOT NULL THEN {sql.INVALID} ELSE {code} END"
        return value, code

    def _sketches(self, columns: list[ColumnLayout], relation: str) -> dict[str, DistinctSketch]:
        return {
            column.name: self._sketch(
                f"md5_number_lower({sql.quote(column.name)}::VARCHAR)", relation
            )
            for column in columns
        }

    def _sketch(self, digest: str, relation: str) -> DistinctSketch:
        """Filled in SQL: the largest rank of each register, over the digests that are not null."""
        registers = bytearray(REGISTERS)
        for register, rank in self.scan.fetch(
            f"SELECT {sql.register_of('h')} AS r, max({sql.rank_of('h')}) "
            f"FROM (SELECT {digest} AS h FROM {relation}) WHERE h IS NOT NULL GROUP BY r"
        ):
            registers[register] = rank
        return DistinctSketch(bytes(registers))

    # --- categories and booleans ------------------------------------------------------------------------

    def _listed(
        self, columns: list[ColumnLayout], rows: int, relation: str
    ) -> Iterator[ColumnProfile]:
        """Values are grouped first; only the groups meet the list of known values."""
        self._list_known(columns)
        grouped = " UNION ALL ".join(
            f"SELECT {at}::INTEGER AS c, {sql.listed_key(column, self.piece.schema[column.name])} AS v, "
            f"count(*) AS n FROM {relation} GROUP BY ALL"
            for at, column in enumerate(columns)
        )
        with explained(self.piece.title):
            self.scan.connection.execute(f"CREATE OR REPLACE TEMP TABLE grouped AS {grouped}")
        counts: list[dict[int | None, int]] = [{} for _ in columns]
        for at, place, n in self.scan.fetch(
            "SELECT g.c, CASE WHEN g.v IS NOT NULL THEN coalesce(k.p, -2) END AS place, sum(g.n) "
            "FROM grouped g LEFT JOIN known k ON g.c = k.c AND g.v = k.v GROUP BY ALL"
        ):
            counts[at][place] = int(n)
        examples = self._unseen_examples(counts)
        for at, column in enumerate(columns):
            mine = counts[at]
            # where not every rare value is known, one that is not in the list may be rare
            unseen = mine.get(_UNSEEN, 0)
            yield ColumnProfile(
                name=column.name,
                kind=column.kind,
                rows=rows,
                bins=tuple(mine.get(place, 0) for place in range(column.bins)),
                nulls=mine.get(None, 0),
                other=mine.get(_OTHER, 0) + (0 if column.rare_complete else unseen),
                unseen=unseen if column.rare_complete else 0,
                sketch=self._sketch("md5_number_lower(v)", f"grouped WHERE c = {at}"),
                examples=tuple(examples.get(at, ())) if column.rare_complete else (),
            )

    def _list_known(self, columns: list[ColumnLayout]) -> None:
        """The known values as a table: column, value, place."""
        rows = [
            (at, value, place)
            for at, column in enumerate(columns)
            for place, value in (
                *enumerate(column.categories),
                *((_OTHER, value) for value in column.rare),
            )
        ]
        self.scan.connection.execute(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT unnest(?::INTEGER[]) AS c, "
            "unnest(?::VARCHAR[]) AS v, unnest(?::INTEGER[]) AS p",
            [[row[position] for row in rows] for position in range(3)],
        )

    def _unseen_examples(
        self, counts: list[dict[int | None, int]]
    ) -> dict[int, list[tuple[str, int]]]:
        if not any(_UNSEEN in mine for mine in counts):
            return {}
        found: dict[int, list[tuple[str, int]]] = {}
        for at, value, n in self.scan.fetch(
            "SELECT g.c, g.v, g.n FROM grouped g ANTI JOIN known k ON g.c = k.c AND g.v = k.v "
            "WHERE g.v IS NOT NULL "
            f"QUALIFY row_number() OVER (PARTITION BY g.c ORDER BY g.n DESC, g.v) <= {UNSEEN_EXAMPLES} "
            "ORDER BY g.c, g.n DESC, g.v"
        ):
            found.setdefault(at, []).append((value, int(n)))
        return found

    def _opaque(self, columns: list[ColumnLayout], rows: int) -> Iterator[ColumnProfile]:
        counted = ", ".join(f"count({sql.quote(column.name)})" for column in columns)
        filled = self.scan.fetch(f"SELECT {counted} FROM {self.piece.relation}")[0]
        for column, n in zip(columns, filled, strict=True):
            yield ColumnProfile(name=column.name, kind=column.kind, rows=rows, nulls=rows - int(n))


def column_of_codes(
    column: ColumnLayout,
    codes: NDArray[np.int64],
    table: dict[str, NDArray[Any]],
    ends: dict[str, Any],
    rows: int,
) -> ColumnProfile:
    """Codes and their counts as a column's profile."""
    counts = table["n"].astype(np.int64)
    ordinary = ((codes < sql.NAN) & (codes != sql.NO_VALUE)) | (codes >= sql.FIRST_ATOM)
    places = bins_of_codes(column, codes[ordinary])
    bins = np.bincount(places, weights=counts[ordinary], minlength=column.bins).astype(np.int64)

    def rows_of(code: int) -> int:
        return int(counts[codes == code].sum())

    low, high = ends["lo"][ordinary], ends["hi"][ordinary]
    with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e308 a sum says that it has none
        total, squares = (float(table[key][ordinary].sum()) for key in "sq")
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        rows=rows,
        bins=tuple(bins.tolist()),
        nulls=rows_of(sql.NO_VALUE),
        nan=rows_of(sql.NAN),
        positive_infinity=rows_of(sql.POSITIVE_INFINITY),
        negative_infinity=rows_of(sql.NEGATIVE_INFINITY),
        invalid=rows_of(sql.INVALID),
        total=total,
        squares=squares,
        minimum=float(low.min()) if low.size else None,
        maximum=float(high.max()) if high.size else None,
    )


def bins_of_codes(column: ColumnLayout, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bin of each ordinary code (cells, atoms, below, above; positions of a cycle)."""
    if not column.edges:
        return codes
    edges = np.array(column.edges)
    if column.grid is None:
        return np.clip(codes + 1, 0, edges.size)
    grid = column.grid
    # the middle of a cell: its lower bound may be an atom, which is counted by itself
    points = grid.low + (codes + 0.5) * grid.step
    atom = codes >= sql.FIRST_ATOM
    if atom.any():
        points[atom] = np.array(grid.atoms)[codes[atom] - sql.FIRST_ATOM]
    places = np.searchsorted(edges, points, side="right")
    places[codes == sql.BELOW] = 0
    places[codes == sql.ABOVE] = edges.size
    return places.astype(np.int64)


def _chunks(columns: Iterable[ColumnLayout]) -> Iterator[list[ColumnLayout]]:
    listed = list(columns)
    for start in range(0, len(listed), COLUMNS_AT_ONCE):
        yield listed[start : start + COLUMNS_AT_ONCE]
