"""Where the bins of a number lie: at the reference's quantiles, with bins of their own for atoms.

The levels are 0.5 %, 2 %, 4 % … 98 %, 99.5 %: 51 edges, 52 bins. A value that holds 2 % of the
rows or more (a zero that means "none", a cap) is an atom and gets a bin of its own. Numbers with
few distinct values get an edge at each. Edges are then moved to a grid of equal cells where that
changes no bin much, because a grid is counted three times faster than a tree of comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.domain.layouts import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = np.array([0.005, *(step / 100 for step in range(2, 100, 2)), 0.995])
FEWEST_VALUES = 50
ATOM_SHARE = 0.02
ATOM_ROWS = 5
SMALLEST_SHARE = 0.004
"""A bin below this share of the reference is joined to its neighbour, unless it is a tail or an atom."""
LARGEST_SHARE = 0.045
"""A grid that gives a bin more than this has lost the shape: the tree of comparisons is taken."""
CELLS = 4096
WHOLE_NUMBER_CELLS = 32768


@dataclass(frozen=True, slots=True)
class Edges:
    """The bins of a number: see ``ColumnLayout`` for ``edges``, ``grid`` and ``discrete``."""

    edges: tuple[float, ...]
    grid: Grid | None = None
    discrete: bool = False


def choose_edges(sample: NDArray[np.float64], *, integer: bool) -> Edges:
    """The edges of a column's bins and, where one fits, their grid.

    Args:
        sample: finite values of the reference, in any order.
        integer: whether the column holds whole numbers only.
    """
    if sample.size == 0:
        return Edges((0.0,))
    values, counts = np.unique(sample + 0.0, return_counts=True)  # + 0.0: no negative zero
    if values.size <= FEWEST_VALUES:
        return _edge_a_value(values, integer=integer)
    frequent = counts >= max(ATOM_SHARE * sample.size, ATOM_ROWS)
    atoms = values[frequent]
    edges = _quantile_edges(values, counts, atoms, integer=integer)
    found = _on_grid(edges, atoms, values, counts, integer=integer)
    return found or Edges(tuple(float(edge) for edge in edges))


def _edge_a_value(values: NDArray[np.float64], *, integer: bool) -> Edges:
    """An edge at each of few values; on a grid where the values lie on one as they are."""
    low, high = float(values[0]), float(values[-1])
    step = _step(low, high, integer=integer)
    if step is not None and np.all(values / step == np.floor(values / step)):
        cells = round((high - low) / step) + 1
        edges = (*map(float, values), low + cells * step)
        return Edges(edges, Grid(low=low, step=step, cells=cells), discrete=True)
    after = _after(high, integer=integer)
    edges = (*map(float, values), *((after,) if math.isfinite(after) else ()))
    return Edges(edges, discrete=True)


def _after(value: float, *, integer: bool) -> float:
    """The upper bound of the bin that holds ``value`` alone."""
    if integer and abs(value) < 2**52:
        return float(value + 1)
    return math.nextafter(value, math.inf)


def _quantile_edges(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    atoms: NDArray[np.float64],
    *,
    integer: bool,
) -> NDArray[np.float64]:
    cumulative = np.cumsum(counts)
    total = cumulative[-1]
    positions = np.searchsorted(cumulative, LEVELS * total)
    wanted = np.unique(values[np.minimum(positions, values.size - 1)])
    fixed = {float(bound) for a in atoms for bound in (a, _after(a, integer=integer))}
    outer = {float(wanted[0]), float(wanted[-1])}
    kept = sorted({bound for bound in fixed if math.isfinite(bound)} | outer)
    for edge in wanted:
        if float(edge) in kept:
            continue
        at = int(np.searchsorted(kept, edge))
        shares = _mass(values, cumulative, np.array([kept[at - 1], edge, kept[at]])) / total
        if min(shares) >= SMALLEST_SHARE:
            kept.insert(at, float(edge))
    return np.array(kept)


def _mass(
    values: NDArray[np.float64], cumulative: NDArray[np.int64], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Rows of the sample in [edges[i], edges[i+1])."""
    below = np.concatenate([[0], cumulative])[np.searchsorted(values, edges, side="left")]
    return np.diff(below)


def _on_grid(
    edges: NDArray[np.float64],
    atoms: NDArray[np.float64],
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    integer: bool,
) -> Edges | None:
    """The edges on a grid whose step is a power of two, or None where a grid would lose the shape."""
    low, high = float(edges[0]), float(edges[-1])
    step = _step(low, high, integer=integer)
    if step is None:
        return None
    pairs = () if integer and step == 1.0 else tuple(float(atom) for atom in atoms)
    if any(atom / step != math.floor(atom / step) for atom in pairs):
        return None
    of_atoms = {bound for a in pairs for bound in (a, math.nextafter(a, math.inf))}
    moved = {round(float(edge) / step) * step for edge in edges if float(edge) not in of_atoms}
    snapped = np.array(sorted(moved | of_atoms))
    bottom = math.floor(snapped[0] / step) * step
    cells = math.ceil((snapped[-1] - bottom) / step)
    if cells < 1 or not _keeps_shape(snapped, of_atoms, values, counts):
        return None
    grid = Grid(low=bottom, step=step, cells=cells, atoms=pairs)
    if grid.high > snapped[-1] and float(snapped[-1]) not in of_atoms:
        return None
    return Edges(tuple(float(edge) for edge in snapped), _within_last_atom(grid, snapped))


def _within_last_atom(grid: Grid, edges: NDArray[np.float64]) -> Grid:
    """Where the last edge belongs to an atom, cells end at the atom, which is met by equality."""
    if grid.atoms and edges[-1] == math.nextafter(grid.atoms[-1], math.inf):
        cells = round((grid.atoms[-1] - grid.low) / grid.step)
        return Grid(low=grid.low, step=grid.step, cells=cells, atoms=grid.atoms)
    return grid


def _step(low: float, high: float, *, integer: bool) -> float | None:
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return None
    if integer and span <= WHOLE_NUMBER_CELLS:
        step = 1.0
    else:
        exponent = math.ceil(math.log2(span / CELLS))
        if not -1000 < exponent < 1000:
            return None
        step = max(2.0**exponent, 1.0) if integer else 2.0**exponent
    if max(abs(low), abs(high)) / step >= 2**51:
        return None
    return step


def _keeps_shape(
    edges: NDArray[np.float64],
    of_atoms: set[float],
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> bool:
    """Whether no bin between two edges is much larger than its share, the atoms' bins aside."""
    cumulative = np.cumsum(counts)
    shares = _mass(values, cumulative, edges) / cumulative[-1]
    single = np.array(
        [
            left in of_atoms or left + 1.0 == right or _lone(values, left, right)
            for left, right in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        ]
    )
    return bool(np.all(shares[~single] <= LARGEST_SHARE))


def _lone(values: NDArray[np.float64], left: float, right: float) -> bool:
    """Whether [left, right) holds at most one distinct value: then no edge could part it."""
    first, last = np.searchsorted(values, [left, right], side="left")
    return bool(last - first <= 1)
