"""The rules that are compared: ours, and those that people use, on the same rows.

A rule takes the reference's rows and the batch's rows of one column and says whether it alarms.
Ours sees the profiles alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from controller.domain.layouts import ColumnKind, ColumnLayout, Layout
from controller.domain.profiles import ColumnProfile, Profile
from workers.profiles.edges import choose_edges
from workers.profiles.layouts import LayoutOptions, choose_categories


@dataclass(frozen=True)
class Prepared:
    """A column of the reference: its rows, its layout and its profile."""

    name: str
    rows: NDArray[Any]
    layout: ColumnLayout
    profile: ColumnProfile


def prepare(name: str, rows: NDArray[Any], seed: int) -> Prepared:
    """Numbers (NaN is null), or categories as whole numbers; as ``make_layout`` does it."""
    if rows.dtype.kind == "f":
        edges = choose_edges(rows[np.isfinite(rows)], integer=False)
        layout = ColumnLayout(
            name=name,
            kind=ColumnKind.NUMERIC,
            type="DOUBLE",
            edges=edges.edges,
            grid=edges.grid,
            discrete=edges.discrete,
        )
    else:
        values, counts = np.unique(rows, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        chosen = choose_categories(name, counts[order].tolist(), LayoutOptions(seed=seed))
        own = values[order][list(chosen.own)]
        layout = ColumnLayout(
            name=name,
            kind=ColumnKind.CATEGORY,
            type="VARCHAR",
            categories=tuple(map(str, own)),
            rare=tuple(map(str, np.setdiff1d(values, own))),
            set_aside=chosen.set_aside,
            singletons=int((counts == 1).sum()),
            doubletons=int((counts == 2).sum()),
        )
    return Prepared(name, rows, layout, count(layout, rows))


def count(layout: ColumnLayout, rows: NDArray[Any]) -> ColumnProfile:
    """The profile of rows in memory (that DuckDB counts the same is tested elsewhere)."""
    if layout.kind is ColumnKind.NUMERIC:
        there = rows[~np.isnan(rows)]
        places = np.searchsorted(layout.edges, there, side="right")
        bins = np.bincount(places, minlength=layout.bins)
        return ColumnProfile(
            name=layout.name,
            kind=layout.kind,
            rows=rows.size,
            bins=tuple(bins.tolist()),
            nulls=int(rows.size - there.size),
        )
    own, rare = (np.array(listed, dtype=np.int64) for listed in (layout.categories, layout.rare))
    counts = np.bincount(rows, minlength=int(max([*own, *rare, 0])) + 1)
    bins, other = counts[own], int(counts[rare].sum())
    return ColumnProfile(
        name=layout.name,
        kind=layout.kind,
        rows=rows.size,
        bins=tuple(bins.tolist()),
        other=other,
        unseen=int(rows.size - bins.sum() - other),
    )


def profiles(columns: list[Prepared], batch: list[NDArray[Any]]) -> tuple[Layout, Profile, Profile]:
    """What ``compare`` takes."""
    layout = Layout(columns=tuple(c.layout for c in columns), rows=columns[0].rows.size)
    now = tuple(count(c.layout, rows) for c, rows in zip(columns, batch, strict=True))
    return (
        layout,
        Profile(layout=layout.digest, rows=layout.rows, columns=tuple(c.profile for c in columns)),
        Profile(layout=layout.digest, rows=batch[0].size, columns=now),
    )


# --- what people use ------------------------------------------------------------------------------------


def _clean(rows: NDArray[Any]) -> NDArray[Any]:
    return rows[~np.isnan(rows)] if rows.dtype.kind == "f" else rows


def _shares(before: NDArray[Any], now: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shares of categories, or of ten quantile bins."""
    if before.dtype.kind == "f":
        edges = np.unique(np.quantile(before, np.linspace(0, 1, 11)[1:-1]))
        pair = [np.searchsorted(edges, rows) for rows in (before, now)]
        size = edges.size + 1
    else:
        pair, size = [before, now], int(max(before.max(), now.max())) + 1
    p, q = (np.bincount(codes, minlength=size) / codes.size for codes in pair)
    used = p + q > 0
    return p[used], q[used]


def significance(before: NDArray[Any], now: NDArray[Any]) -> bool:
    """A KS test for numbers, chi2 for categories, at 5 %."""
    before, now = _clean(before), _clean(now)
    if before.dtype.kind == "f":
        return bool(stats.ks_2samp(before, now, method="asymp").pvalue < 0.05)
    size = int(max(before.max(), now.max())) + 1
    table = np.array([np.bincount(rows, minlength=size) for rows in (before, now)])
    return bool(stats.chi2_contingency(table[:, table.sum(axis=0) > 0])[1] < 0.05)


def psi(before: NDArray[Any], now: NDArray[Any], limit: float = 0.1) -> bool:
    """PSI over 0.1, zeros filled with 0.0001."""
    p, q = (np.maximum(s, 1e-4) for s in _shares(_clean(before), _clean(now)))
    return bool(((p - q) * np.log(p / q)).sum() > limit)


def evidently(before: NDArray[Any], now: NDArray[Any]) -> bool:
    """Evidently's choice of a test, with its limits; it drops nulls.

    Up to 1,000 rows of reference KS or chi2 at 5 %; above them the Wasserstein distance in standard
    deviations, or Jensen-Shannon, over 0.1.
    """
    before, now = _clean(before), _clean(now)
    if before.size <= 1000:
        return significance(before, now)
    if before.dtype.kind == "f":
        scale = max(float(np.std(before)), 0.001)
        return bool(stats.wasserstein_distance(before, now) / scale >= 0.1)
    return bool(jensenshannon(*_shares(before, now)) >= 0.1)


COLUMN_RULES = {
    "KS or chi2, p < .05": significance,
    "PSI > 0.1, ten bins": psi,
    "Evidently's default": evidently,
}
