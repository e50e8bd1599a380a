"""Makes a layout from the reference: quantile edges for numbers, the frequent values for categories.

The edges come from a seeded sample (their exact place matters little, since the reference's own
profile is then counted into them, exactly); categories are counted in full.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.domain.errors import UserError
from controller.domain.layouts import HOURS, WEEKDAYS, ColumnKind, ColumnLayout, Layout
from workers.profiles.batches import BatchData, ScanEngine, open_batch
from workers.profiles.edges import Edges, choose_edges
from workers.profiles.expressions import is_integer, key_of, kind_of, measured_of, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.profiles.batches import Scan

COLUMNS_AT_ONCE = 64
"""Columns of one statement: longer ones take the planner more time than the counting."""

SAMPLED_VALUES = 20_000_000
SMALLEST_SAMPLE = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LayoutOptions:
    """What may be said about the columns.

    ``columns``: only these (all, if None). ``kinds``: how to count a column in spite of its type
    (an integer code as a category). ``top`` categories get a bin each if they have ``min_rows``;
    ``remember`` values are known at most, a column with more distinct ones is text.
    """

    columns: tuple[str, ...] | None = None
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    top: int = 100
    min_rows: int = 10
    remember: int = 10_000
    sample: int = 200_000
    seed: int = 20130101


def make_layout(
    reference: BatchData, options: LayoutOptions | None = None, engine: ScanEngine | None = None
) -> Layout:
    """The bins of every column of ``reference``.

    Raises:
        UserError: the reference has no rows, lacks a named column, holds a column of two types,
            or cannot be read.
        NotFound: a file of it is not there.
    """
    options = options or LayoutOptions()
    as_text = frozenset(
        name
        for name, kind in options.kinds.items()
        if kind in (ColumnKind.CATEGORY, ColumnKind.TEXT)
    )
    with open_batch(reference, engine or ScanEngine(), as_text) as scan:
        return _Maker(scan, options).layout()


@dataclass(slots=True)
class _Maker:
    scan: Scan
    options: LayoutOptions

    def layout(self) -> Layout:
        schema = self._schema()
        rows = self._rows()
        if not rows:
            raise UserError(
                f"{self.scan.title} has no rows, so it cannot be a reference;",
                hint="name a batch that holds data.",
            )
        kinds = {name: self.options.kinds.get(name, kind_of(t)) for name, t in schema.items()}
        kinds |= self._categories_among(kinds)
        found: dict[str, ColumnLayout] = {}
        for some in _chunks([n for n, k in kinds.items() if k in _MEASURED], COLUMNS_AT_ONCE):
            for name, edges in self._edges({n: schema[n] for n in some}, kinds, rows, len(schema)):
                found[name] = ColumnLayout(
                    name=name,
                    kind=kinds[name],
                    type=schema[name],
                    edges=edges.edges,
                    grid=edges.grid,
                    discrete=edges.discrete,
                )
        for name, kind in kinds.items():
            if name not in found:
                found[name] = self._counted(name, kind, schema[name])
        return Layout(columns=tuple(found[name] for name in schema), rows=rows)

    def _schema(self) -> dict[str, str]:
        """The columns of all pieces; types that mean the same kind may differ."""
        schema: dict[str, str] = {}
        for piece in self.scan.pieces:
            for name, found in piece.schema.items():
                known = schema.setdefault(name, found)
                if known == "NULL":
                    schema[name] = found
                elif found != "NULL" and kind_of(found) is not kind_of(known):
                    raise UserError(
                        f"column {name!r} is {known} in one file of the reference and {found} "
                        f"in {piece.title};",
                        hint="write the files with one type.",
                    )
        wanted = self.options.columns
        if wanted is None:
            return schema
        absent = [name for name in wanted if name not in schema]
        if absent:
            raise UserError(
                f"{self.scan.title} has no column {absent[0]!r}; it has {', '.join(list(schema)[:10])};",
                hint="correct the name or the delimiter.",
            )
        return {name: schema[name] for name in wanted}

    def _rows(self) -> int:
        return sum(
            int(self.scan.fetch(f"SELECT count(*) FROM {piece.relation}")[0][0])
            for piece in self.scan.pieces
        )

    def _union(self, selected: Mapping[str, str], *, where: str = "") -> str:
        """A relation of the selected expressions over all pieces; a column a piece lacks is NULL there."""
        return " UNION ALL ".join(
            "SELECT "
            + ", ".join(
                f"{expression if name in piece.schema else 'NULL'} AS {quote(name)}"
                for name, expression in selected.items()
            )
            + f" FROM {piece.relation} {where}"
            for piece in self.scan.pieces
        )

    def _categories_among(self, kinds: Mapping[str, ColumnKind]) -> dict[str, ColumnKind]:
        """Text columns that repeat few values are categories, the others stay text."""
        names = [
            n for n, k in kinds.items() if k is ColumnKind.TEXT and n not in self.options.kinds
        ]
        found: dict[str, ColumnKind] = {}
        for some in _chunks(names, COLUMNS_AT_ONCE):
            counted = ", ".join(
                f"approx_count_distinct({quote(n)}), count({quote(n)})" for n in some
            )
            relation = self._union({name: quote(name) for name in some})
            numbers = self.scan.fetch(f"SELECT {counted} FROM ({relation})")[0]
            for at, name in enumerate(some):
                distinct, filled = numbers[2 * at], numbers[2 * at + 1]
                if 0 < distinct <= self.options.remember and (
                    distinct <= filled / 2 or distinct <= 2
                ):
                    found[name] = ColumnKind.CATEGORY
        return found

    def _edges(
        self, schema: Mapping[str, str], kinds: Mapping[str, ColumnKind], rows: int, columns: int
    ) -> Iterator[tuple[str, Edges]]:
        size = min(self.options.sample, max(SAMPLED_VALUES // columns, SMALLEST_SAMPLE))
        selected = {name: measured_of(name, found, kinds[name]) for name, found in schema.items()}
        where = "" if rows <= size else f"WHERE random() < {size / rows!r}"
        threads = self.scan.fetch("SELECT current_setting('threads')")[0][0]
        # one thread and a seed: the same reference gives the same layout, digest included
        self.scan.connection.execute(
            f"SET threads = 1; SELECT setseed({self.options.seed % 1000 / 1000})"
        )
        sample = self.scan.connection.execute(self._union(selected, where=where)).fetchnumpy()
        self.scan.connection.execute(f"SET threads = {threads}")
        for name, found in schema.items():
            column = sample[name]
            values = np.ma.compressed(column) if isinstance(column, np.ma.MaskedArray) else column
            values = np.asarray(values, dtype=np.float64)
            whole = is_integer(found) or kinds[name] is ColumnKind.TEXT
            yield name, choose_edges(values[np.isfinite(values)], integer=whole)

    def _counted(self, name: str, kind: ColumnKind, found: str) -> ColumnLayout:
        if kind is ColumnKind.BOOLEAN:
            return ColumnLayout(name=name, kind=kind, type=found, categories=("false", "true"))
        if kind is ColumnKind.TIMESTAMP:
            cycle = WEEKDAYS if found.upper() == "DATE" else HOURS
            return ColumnLayout(name=name, kind=kind, type=found, categories=cycle)
        if kind is ColumnKind.OPAQUE:
            return ColumnLayout(name=name, kind=kind, type=found)
        return self._category(name, found)

    def _category(self, name: str, found: str) -> ColumnLayout:
        """The frequent values, chosen by a random half of the rows (see ``ColumnLayout.set_aside``)."""
        relation = self._union({name: key_of(name, found)})
        limit = self.options.remember
        rows = self.scan.fetch(
            f"SELECT {quote(name)}, count(*) FROM ({relation}) WHERE {quote(name)} IS NOT NULL "
            f"GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT {limit + 1}"
        )
        chosen = choose_categories(name, [int(n) for _, n in rows], self.options)
        values = [str(value) for value, _ in rows]
        complete = len(rows) <= limit
        return ColumnLayout(
            name=name,
            kind=ColumnKind.CATEGORY,
            type=found,
            categories=tuple(values[at] for at in chosen.own),
            rare=tuple(sorted(set(values[:limit]) - {values[at] for at in chosen.own})),
            rare_complete=complete,
            set_aside=chosen.set_aside,
            singletons=sum(n == 1 for _, n in rows) if complete else 0,
            doubletons=sum(n == 2 for _, n in rows) if complete else 0,
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Positions of the values that get a bin, and the rows of the half that chose them, "other" last."""

    own: tuple[int, ...]
    set_aside: tuple[int, ...]


def choose_categories(name: str, counts: Sequence[int], options: LayoutOptions) -> Chosen:
    """The ``top`` values of a random half of the rows, of those with ``min_rows`` in the whole.

    The half is drawn value by value (a binomial of each count), which is the same as drawing rows.
    """
    whole = np.asarray(counts, dtype=np.int64)
    generator = np.random.default_rng([options.seed, *name.encode()])
    half = generator.binomial(whole, 0.5)
    order = [int(at) for at in np.argsort(-half, kind="stable") if whole[at] >= options.min_rows]
    own = sorted(order[: options.top])  # the most frequent of the whole first, for people
    return Chosen(tuple(own), (*half[own].tolist(), int(half.sum() - half[own].sum())))


_MEASURED = (ColumnKind.NUMERIC, ColumnKind.TEXT)


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
