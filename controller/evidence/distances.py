"""Distances between two histograms, without what sampling alone would show.

All functions take counts (not shares) of the same bins, since the debiasing needs both sample
sizes n and m. Under no drift, with K bins, E[JS²] = (K-1)/8·(1/n+1/m), the same for Hellinger's
square, and E[PSI] = (K-1)(1/n+1/m): second-order expansions in the differences of the shares.
Distances that are no squares lose their expected value under no drift.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

KS_MEAN = math.sqrt(math.pi / 2) * math.log(2)
"""The mean of Kolmogorov's distribution, 0.8687."""


def noise(n: float, m: float) -> float:
    """1/n + 1/m: the variance of a difference of shares, up to p(1-p)."""
    return 1.0 / n + 1.0 / m


def shares(counts: ArrayLike) -> NDArray[np.float64]:
    """Counts as shares of their sum."""
    values = np.asarray(counts, dtype=np.float64)
    return np.asarray(values / values.sum())


def jensen_shannon(first: ArrayLike, second: ArrayLike) -> float:
    """The debiased Jensen-Shannon distance: the root of the divergence in nats, 0 to 0.8326."""
    p, q = shares(first), shares(second)
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle).sum() + special.rel_entr(q, middle).sum()) / 2
    return math.sqrt(max(divergence - _quadratic_bias(first, second) / 8, 0.0))


def hellinger(first: ArrayLike, second: ArrayLike) -> float:
    """The debiased Hellinger distance, 0 to 1."""
    p, q = shares(first), shares(second)
    square = 1.0 - float(np.sqrt(p * q).sum())
    return math.sqrt(max(square - _quadratic_bias(first, second) / 8, 0.0))


def psi(first: ArrayLike, second: ArrayLike) -> float:
    """The debiased population stability index; half a row is added to each bin, so that it is finite."""
    used = _used(first, second)
    p, q = (shares(np.asarray(c, dtype=np.float64)[used] + 0.5) for c in (first, second))
    index = float(((p - q) * np.log(p / q)).sum())
    return max(index - _quadratic_bias(first, second), 0.0)


def _used(first: ArrayLike, second: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(np.asarray(first) + np.asarray(second) > 0)


def _quadratic_bias(first: ArrayLike, second: ArrayLike) -> float:
    """(K-1)(1/n+1/m), with K the bins that hold a row of either side."""
    bins = int(_used(first, second).sum())
    return (bins - 1) * noise(float(np.sum(first)), float(np.sum(second)))


def total_variation(first: ArrayLike, second: ArrayLike) -> float:
    """The share of mass in another bin, less its expectation Σ sqrt(p(1-p)(1/n+1/m)·2/π)/2."""
    p, q = shares(first), shares(second)
    n, m = float(np.sum(first)), float(np.sum(second))
    pooled = (np.asarray(first) + np.asarray(second)) / (n + m)
    expected = 0.5 * np.sqrt(2 / math.pi * pooled * (1 - pooled) * noise(n, m)).sum()
    return max(float(np.abs(p - q).sum() / 2 - expected), 0.0)


def ks_statistic(first: ArrayLike, second: ArrayLike) -> float:
    """The largest difference of the two cumulated histograms, as it is (ordered bins)."""
    difference = np.cumsum(shares(first)) - np.cumsum(shares(second))
    return float(np.abs(difference).max())


def ks(first: ArrayLike, second: ArrayLike) -> float:
    """The debiased Kolmogorov-Smirnov statistic on bins."""
    spread = math.sqrt(noise(float(np.sum(first)), float(np.sum(second))))
    return max(ks_statistic(first, second) - KS_MEAN * spread, 0.0)


def ks_p_value(first: ArrayLike, second: ArrayLike) -> float:
    """Asymptotic; binning and ties make it larger than the exact one, never smaller."""
    spread = math.sqrt(noise(float(np.sum(first)), float(np.sum(second))))
    return float(stats.kstwobign.sf(ks_statistic(first, second) / spread))


def wasserstein(
    edges: ArrayLike, first: ArrayLike, second: ArrayLike, *, discrete: bool = False
) -> float | None:
    """Wasserstein's distance between the outer edges, in interquartile ranges of ``first``.

    Between two edges the difference of the distribution functions is a straight line (a step for
    ``discrete`` bins, whose mass lies at their lower edge). The expectation under no drift,
    ∫ sqrt(F(1-F)(1/n+1/m)·2/π), is subtracted. None where the reference has no spread.

    Args:
        edges: k edges; the outer two are the 0.5 % and 99.5 % quantiles of the reference.
        first: k + 1 counts of the reference.
        second: k + 1 counts.
        discrete: whether values lie at the edges only.
    """
    at = np.asarray(edges, dtype=np.float64)
    if at.size < 2:
        return None
    scale = spread_of(at, first)
    if scale is None:
        return None
    below = [np.cumsum(shares(counts))[:-1] for counts in (first, second)]
    n, m = float(np.sum(first)), float(np.sum(second))
    pooled = (below[0] * n + below[1] * m) / (n + m)
    width = np.diff(at)
    difference = below[0] - below[1]
    deviation = np.sqrt(np.maximum(pooled * (1 - pooled), 0) * noise(n, m) * 2 / math.pi)
    if discrete:
        distance = float((np.abs(difference[1:]) * width).sum())
        expected = float((deviation[1:] * width).sum())
    else:
        distance = float((_line_area(difference) * width).sum())
        expected = float(((deviation[1:] + deviation[:-1]) / 2 * width).sum())
    return max(distance - expected, 0.0) / scale


def _line_area(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of |line| between neighbours; where the sign changes it is two triangles."""
    left, right = values[:-1], values[1:]
    total = np.abs(left) + np.abs(right)
    crossing = left * right < 0
    triangles = (left**2 + right**2) / (2 * np.where(total > 0, total, 1.0))
    return np.asarray(np.where(crossing, triangles, total / 2))


def spread_of(edges: NDArray[np.float64], counts: ArrayLike) -> float | None:
    """The interquartile range by the bins, or where that is zero the 2 to 98 % range, or None."""
    below = np.cumsum(shares(counts))[:-1]
    for low, high in ((0.25, 0.75), (0.02, 0.98)):
        ends = np.interp([low, high], below, edges)
        if ends[1] - ends[0] > 1e-12 * max(abs(edges[0]), abs(edges[-1])):
            return float(ends[1] - ends[0])
    return None


def chi2(first: ArrayLike, second: ArrayLike) -> tuple[float, float, int]:
    """Pearson's statistic of the two rows of counts, its p-value, and the degrees of freedom.

    Bins that expect fewer than 5 rows on either side are put together first.
    """
    table = _dense(np.vstack([first, second]).astype(np.float64))
    if table.shape[1] < 2:
        return 0.0, 1.0, 0
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom = table.shape[1] - 1
    return statistic, float(stats.chi2.sf(statistic, freedom)), freedom


def _dense(table: NDArray[np.float64]) -> NDArray[np.float64]:
    table = table[:, table.sum(axis=0) > 0]
    smaller = table.sum(axis=1).min() / table.sum()
    sparse = table.sum(axis=0) * smaller < 5
    if not sparse.any():
        return table
    joined = np.column_stack([table[:, ~sparse], table[:, sparse].sum(axis=1)])
    if joined[:, -1].sum() * smaller < 5 and joined.shape[1] > 1:
        least = int(joined[:, :-1].sum(axis=0).argmin())
        joined[:, least] += joined[:, -1]
        joined = joined[:, :-1]
    return joined


def cramers_v(statistic: float, freedom: int, total: float) -> float:
    """Cramér's V of a 2xK table, bias-corrected (Bergsma 2013)."""
    if freedom < 1 or total < 2:
        return 0.0
    square = max(statistic / total - freedom / (total - 1), 0.0)
    rows = 2 - 1 / (total - 1)
    columns = freedom + 1 - freedom**2 / (total - 1)
    return math.sqrt(square / max(min(rows, columns) - 1, 1e-12))


def rates_p_value(first: float, n: float, second: float, m: float) -> float:
    """Two-sided, for a rare event seen ``first`` of ``n`` and ``second`` of ``m`` times.

    Exact for small counts (binomial, given the sum of both), by the normal approximation
    beyond 10,000 events.
    """
    events = round(first + second)
    if events == 0:
        return 1.0
    share = m / (n + m)
    if events > 10_000:
        pooled = events / (n + m)
        if pooled >= 1:
            return 1.0
        z = (second / m - first / n) / math.sqrt(pooled * (1 - pooled) * noise(n, m))
        return float(2 * stats.norm.sf(abs(z)))
    seen = round(second)
    tail = min(stats.binom.cdf(seen, events, share), stats.binom.sf(seen - 1, events, share))
    return min(2 * float(tail), 1.0)


def collapse_ordered(reference: ArrayLike, rows: float) -> NDArray[np.int64]:
    """A group for each bin: neighbours are joined until ten of ``rows`` are expected in each group."""
    expected = shares(reference) * rows
    groups = np.zeros(expected.size, dtype=np.int64)
    group, held = 0, 0.0
    for at, value in enumerate(expected.tolist()):
        if held >= 10:
            group, held = group + 1, 0.0
        groups[at] = group
        held += value
    if held < 10 and group > 0:
        groups[groups == group] = group - 1
    return groups


def collapse_listed(reference: ArrayLike, rows: float) -> NDArray[np.int64]:
    """A group for each category: those with fewer than ten of ``rows`` expected share one, the last."""
    expected = shares(reference) * rows
    frequent = expected >= 10
    groups = np.cumsum(frequent) - 1
    groups[~frequent] = frequent.sum()
    return groups.astype(np.int64)


def grouped(counts: ArrayLike, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The counts of the groups."""
    values = np.asarray(counts, dtype=np.float64)
    found = np.bincount(groups, weights=values, minlength=int(groups.max()) + 1)
    return found.astype(np.float64)


def benjamini_hochberg(p_values: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Which hypotheses are rejected at the false discovery rate ``rate`` (Benjamini, Hochberg 1995)."""
    p = np.asarray(p_values, dtype=np.float64)
    rejected = np.zeros(p.size, dtype=bool)
    if p.size == 0:
        return rejected
    order = np.argsort(p)
    passing = np.flatnonzero(p[order] <= rate * np.arange(1, p.size + 1) / p.size)
    if passing.size:
        rejected[order[: passing[-1] + 1]] = True
    return rejected
