"""Distances are held against scipy on the rows, and against their own expectation under no drift."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from controller.evidence import distances

RNG = np.random.default_rng(11)
BIG = 2_000_000


def quantile_bins(rows: NDArray[np.float64], *others: NDArray[np.float64]):
    levels = [0.005, *np.arange(0.02, 0.99, 0.02), 0.995]
    edges = np.quantile(rows, levels)
    count = [
        np.bincount(np.searchsorted(edges, x, side="right"), minlength=52) for x in (rows, *others)
    ]
    return edges, *count


@pytest.mark.parametrize(
    ("shift", "js", "psi", "ks"), [(0.28, 0.0988, 0.0784, 0.1113), (0.5, 0.1752, 0.25, 0.1974)]
)
def test_the_shift_of_a_normal_has_its_known_distances(shift, js, psi, ks):
    rows = RNG.normal(size=BIG)
    _, first, second = quantile_bins(rows, rows + shift)
    assert distances.jensen_shannon(first, second) == pytest.approx(js, rel=0.02)
    assert distances.psi(first, second) == pytest.approx(psi, rel=0.06)  # binning loses a little
    assert distances.ks(first, second) == pytest.approx(ks, rel=0.02)


def test_with_many_rows_the_debiased_distance_is_the_plain_one():
    p, q = RNG.dirichlet(np.ones(30), size=2)
    first, second = p * 1e9, q * 1e9
    assert distances.jensen_shannon(first, second) == pytest.approx(jensenshannon(p, q), rel=1e-6)
    assert distances.total_variation(first, second) == pytest.approx(
        np.abs(p - q).sum() / 2, abs=1e-3
    )
    square = 1 - np.sqrt(p * q).sum()
    assert distances.hellinger(first, second) == pytest.approx(math.sqrt(square), rel=1e-6)
    assert distances.psi(first, second) == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-5)


@pytest.mark.parametrize("bins", [2, 10, 52])
@pytest.mark.parametrize(("n", "m"), [(500, 500), (1000, 50_000)])
def test_under_no_drift_the_bias_is_what_is_subtracted(bins, n, m):
    shares = RNG.dirichlet(np.full(bins, 20.0))
    squares, indices, variations, maxima = [], [], [], []
    for _ in range(600):
        first, second = RNG.multinomial(n, shares), RNG.multinomial(m, shares)
        p, q = first / n, second / m
        squares.append(jensenshannon(p, q) ** 2)
        smooth = [(c + 0.5) / (c + 0.5).sum() for c in (first, second)]
        indices.append(((smooth[0] - smooth[1]) * np.log(smooth[0] / smooth[1])).sum())
        variations.append(np.abs(p - q).sum() / 2)
        maxima.append(distances.total_variation(first, second))
    noise = 1 / n + 1 / m
    assert np.mean(squares) == pytest.approx((bins - 1) / 8 * noise, rel=0.15)
    assert np.mean(indices) == pytest.approx((bins - 1) * noise, rel=0.15)
    assert np.median(maxima) < 0.25 * np.median(variations)


@pytest.mark.parametrize("scale", [0.05, 0.3])
def test_binned_ks_is_close_to_the_exact_one(scale):
    rows = RNG.normal(size=100_000)
    other = RNG.normal(scale, size=100_000)
    _, first, second = quantile_bins(rows, other)
    exact = stats.ks_2samp(rows, other).statistic
    assert distances.ks_statistic(first, second) == pytest.approx(exact, rel=0.04)
    assert distances.ks_statistic(first, second) <= exact + 1e-12


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_wasserstein_is_that_of_the_trimmed_rows(shape):
    rows = getattr(RNG, shape)(size=400_000)
    other = rows * 1.2 + 0.1
    edges, first, second = quantile_bins(rows, other)
    low, high = edges[0], edges[-1]
    exact = stats.wasserstein_distance(np.clip(rows, low, high), np.clip(other, low, high))
    found = distances.wasserstein(edges, first, second)
    assert found == pytest.approx(exact / stats.iqr(rows), rel=0.04)


def test_one_outlier_does_not_hide_a_shift_from_wasserstein():
    rows = RNG.normal(size=50_000)
    edges, first, second = quantile_bins(rows, np.append(rows[1:] + 0.5, 1e12))
    assert distances.wasserstein(edges, first, second) == pytest.approx(
        0.5 / stats.iqr(rows), rel=0.06
    )


def test_wasserstein_of_discrete_values_moves_whole_steps():
    edges = [0.0, 1.0, 10.0, 11.0]
    first, second = np.array([0, 5000, 5000, 0, 0]) * 100, np.array([0, 5000, 0, 5000, 0]) * 100
    # half of the mass moves from 1 to 10; the spread of the reference is 1
    moved = distances.wasserstein(edges, first, second, discrete=True)
    spread = distances.spread_of(np.array(edges), first)
    assert moved is not None
    assert spread is not None
    assert moved * spread == pytest.approx(4.5, rel=0.01)


def test_wasserstein_of_a_constant_is_not_a_number_but_nothing():
    assert distances.wasserstein([3.0], [0, 900], [0, 900]) is None


def test_chi2_is_that_of_scipy():
    table = RNG.multinomial(5000, np.ones(12) / 12, size=2)
    expected = stats.chi2_contingency(table, correction=False)
    statistic, p_value, freedom = distances.chi2(*table)
    assert statistic == pytest.approx(expected.statistic)
    assert freedom == expected.dof
    assert p_value == pytest.approx(expected.pvalue)


def test_chi2_joins_sparse_bins():
    first, second = [1000, 1, 0, 2], [1000, 0, 1, 1]
    assert distances.chi2(first, second)[2] == 0
    assert distances.chi2([500, 500, 1, 0], [600, 400, 0, 2])[2] == 1


def test_cramers_v():
    table = np.array([[300, 100], [100, 300]])
    statistic, _, freedom = distances.chi2(*table)
    assert distances.cramers_v(statistic, freedom, 800) == pytest.approx(0.5, abs=0.002)
    assert distances.cramers_v(0.5, 3, 1000) == 0.0


@pytest.mark.parametrize(
    ("first", "n", "second", "m"), [(3, 1000, 9, 900), (0, 500, 8, 700), (5, 400, 5, 500)]
)
def test_rates_are_tested_as_by_fisher(first, n, second, m):
    fisher = stats.fisher_exact([[first, n - first], [second, m - second]]).pvalue
    found = distances.rates_p_value(first, n, second, m)
    assert found == pytest.approx(fisher, rel=0.6, abs=0.02)
    assert (found < 0.01) == (fisher < 0.01)


def test_benjamini_hochberg_is_that_of_scipy():
    p_values = np.concatenate([RNG.random(40), RNG.random(10) / 500])
    expected = stats.false_discovery_control(p_values) <= 0.05
    assert (distances.benjamini_hochberg(p_values, 0.05) == expected).all()
    assert distances.benjamini_hochberg([], 0.05).size == 0


def test_ordered_bins_are_joined_with_their_neighbours():
    groups = distances.collapse_ordered([1, 1, 8, 40, 40, 9, 1], 50)
    assert groups.tolist() == [0, 0, 0, 0, 1, 1, 1] or groups.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert distances.grouped([1, 1, 8, 40, 40, 9, 1], groups).sum() == 100


def test_rare_categories_are_joined_into_one():
    assert distances.collapse_listed([60, 30, 5, 5], 100).tolist() == [0, 1, 2, 2]
