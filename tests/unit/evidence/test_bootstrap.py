"""Intervals against scipy, against each other, and against what they promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from controller.evidence.bootstrap import (
    MomentStatistic,
    bca_interval,
    jackknife_interval,
    normal_interval,
    wild_cluster_interval,
)


def mean_statistic(values: np.ndarray) -> MomentStatistic:
    columns = np.stack([values, np.ones(len(values))])
    return MomentStatistic(columns, lambda s: (s[0] / s[1])[None, :])


def bca(values: np.ndarray, *, confidence: float = 0.95, seed: int = 1, resamples: int = 10_000):
    statistic = mean_statistic(values)
    return bca_interval(
        float(statistic.estimate()[0]),
        statistic.replicates(seed, resamples)[0],
        statistic.jackknife()[0],
        confidence,
    )


@pytest.mark.parametrize("n", [40, 300, 5000], ids=lambda n: f"n={n}")
@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal"])
def test_bca_agrees_with_scipy(n: int, shape: str) -> None:
    rng = np.random.default_rng(n)
    values = {
        "normal": rng.normal(size=n),
        "exponential": rng.exponential(size=n),
        "lognormal": rng.lognormal(size=n),
    }[shape]
    ours = bca(values)
    # scipy's jackknife of 5,000 rows is quadratic: fewer draws keep the test short.
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, rng=np.random.default_rng(0), batch=200
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.09 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.09 * width)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.06)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("method", ["bca", "t", "normal"])
def test_p_value_is_the_inversion_of_the_interval(method: str, confidence: float) -> None:
    """Moving the data until a bound touches zero makes the p-value the level of that bound."""
    values = np.random.default_rng(5).exponential(size=400)

    def interval(shift: float):
        moved = values - shift
        statistic = mean_statistic(moved)
        if method == "bca":
            return bca(moved, confidence=confidence)
        chosen = jackknife_interval if method == "t" else normal_interval
        return chosen(float(moved.mean()), statistic.jackknife()[0], confidence)

    level = (1.0 - confidence) / 2.0
    plain = interval(0.0)
    assert interval(plain.high).p_less == pytest.approx(level, rel=0.05)
    assert interval(plain.low).p_greater == pytest.approx(level, rel=0.05)


def test_p_values_grow_steadily_into_the_extrapolated_tail() -> None:
    values = np.random.default_rng(6).exponential(size=300)
    values -= values.mean()
    found = [bca(values - shift).p_less for shift in np.linspace(0.0, 0.5, 26)]
    assert all(later <= earlier for earlier, later in pairwise(found))
    assert found[-1] == pytest.approx(0.01 / 10_001)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_turning_the_sign_turns_the_interval(sign: float) -> None:
    values = np.random.default_rng(7).normal(0.1, 1.0, 500)
    plain, turned = bca(values), bca(-values)
    assert turned.low == pytest.approx(-plain.high, abs=1e-9)
    assert turned.p_less == pytest.approx(plain.p_greater, abs=1e-9)


@pytest.mark.parametrize("n", [12, 60])
def test_jackknife_of_a_mean_is_the_t_test(n: int) -> None:
    values = np.random.default_rng(8).normal(0.2, 1.0, n)
    ours = jackknife_interval(
        float(values.mean()), mean_statistic(values).jackknife()[0], confidence=0.95
    )
    theirs = stats.ttest_1samp(values, 0.0)
    interval = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.p_greater == pytest.approx(
        stats.ttest_1samp(values, 0.0, alternative="greater").pvalue
    )


def test_unvarying_replicates_have_no_interval() -> None:
    found = bca(np.full(100, 3.0))
    assert found.problem is not None
    assert found.p_less == found.p_greater == 1.0


def test_undefined_replicates_have_no_interval() -> None:
    draws = np.random.default_rng(9).normal(size=1000)
    draws[:50] = np.nan
    found = bca_interval(0.0, draws, np.arange(10.0), 0.95)
    assert found.problem == "The metric is undefined on 5% of the resamples: too few rows."


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_coverage_of_the_95_percent_interval(shape: str) -> None:
    rng = np.random.default_rng(10)
    truth = 0.0 if shape == "normal" else 1.0
    hits = 0
    for i in range(600):
        values = rng.normal(size=100) if shape == "normal" else rng.exponential(size=100)
        found = bca(values, seed=i, resamples=1000)
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 600 <= 0.98


def test_few_blocks_are_not_hidden_by_many_rows() -> None:
    """Seven days of 800 rows with a day effect: rows promise what days cannot keep."""
    rng = np.random.default_rng(11)
    rejected_by_rows = rejected_by_days = 0
    for i in range(200):
        day = rng.normal(0.0, 1.0, 7)
        rows = (day[:, None] + rng.normal(0.0, 3.0, (7, 200))).reshape(-1)
        blocks = np.stack([rows.reshape(7, 200).sum(axis=1), np.full(7, 200.0)])
        statistic = MomentStatistic(blocks, lambda s: (s[0] / s[1])[None, :])
        by_days = jackknife_interval(rows.mean(), statistic.jackknife()[0], 0.95)
        rejected_by_days += by_days.low > 0 or by_days.high < 0
        by_rows = bca(rows, seed=i, resamples=400)
        rejected_by_rows += by_rows.low > 0 or by_rows.high < 0
    assert rejected_by_days / 200 < 0.1
    assert rejected_by_rows / 200 > 0.5


@pytest.mark.parametrize("blocks", [7, 20])
def test_wild_cluster_agrees_with_t_on_equal_normal_blocks(blocks: int) -> None:
    rng = np.random.default_rng(12)
    sums = rng.normal(0.8, 1.0, blocks) * 100
    sizes = np.full(blocks, 100.0)
    wild = wild_cluster_interval(sums, sizes, confidence=0.9, seed=1, resamples=9999)
    means = sums / 100
    t = stats.ttest_1samp(means, 0.0, alternative="greater")
    assert wild.estimate == pytest.approx(means.mean())
    assert wild.standard_error == pytest.approx(stats.sem(means))
    assert wild.p_greater == pytest.approx(t.pvalue, abs=0.03)
    interval = stats.ttest_1samp(means, 0.0).confidence_interval(0.9)
    assert wild.low == pytest.approx(interval.low, abs=0.35)
    assert wild.high == pytest.approx(interval.high, abs=0.35)
    assert wild.p_less + wild.p_greater >= 1.0


def test_wild_cluster_of_seven_blocks_cannot_promise_less_than_its_sign_patterns() -> None:
    found = wild_cluster_interval(
        np.arange(1.0, 8.0), np.ones(7), confidence=0.95, seed=1, resamples=99
    )
    assert found.p_greater == pytest.approx(1 / 128)
