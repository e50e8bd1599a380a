"""Diebold-Mariano: the check numbers, scipy's t test at horizon 1, size under dependence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from controller.evidence.diebold_mariano import diebold_mariano, harvey_factor

D = np.array([0.2, -0.4, -0.7, 0.1, -0.5, -0.2, -0.6, 0.2, -0.4, -0.4])


def test_check_numbers() -> None:
    found = diebold_mariano(D, 1)
    assert found.dm == pytest.approx(-2.72602, abs=5e-6)
    assert found.hln == pytest.approx(-2.58613, abs=5e-6)
    assert found.p_less == pytest.approx(0.0147, abs=5e-5)


def test_horizon_one_is_the_t_test() -> None:
    """DM with h=1 divides by n, HLN brings back n - 1: together the one-sample t test."""
    found = diebold_mariano(D, 1)
    theirs = stats.ttest_1samp(D, 0.0)
    assert found.hln == pytest.approx(theirs.statistic)
    interval = theirs.confidence_interval(0.9)
    assert found.interval(0.9) == pytest.approx((interval.low, interval.high))


def test_harvey_factor() -> None:
    assert harvey_factor(10, 1) == pytest.approx(np.sqrt(0.9))
    assert harvey_factor(10, 3) == pytest.approx(np.sqrt((11 - 6 + 0.6) / 10))


def test_bartlett_weights_when_the_variance_is_not_positive() -> None:
    alternating = np.tile([1.0, -1.0], 10) + np.linspace(0.0, 0.1, 20)
    found = diebold_mariano(alternating, 2)
    assert found.bartlett
    assert found.variance > 0.0
    assert found.problem is None


@pytest.mark.parametrize(
    ("values", "horizon"),
    [(D, 5), (D, 0), (np.array([]), 1), (np.array([1.0]), 1), (np.full(20, 0.3), 1)],
    ids=["horizon too long", "horizon zero", "empty", "one row", "constant"],
)
def test_no_answer_is_a_sentence_and_p_one(values: np.ndarray, horizon: int) -> None:
    found = diebold_mariano(values, horizon)
    assert found.problem
    assert found.p_less == found.p_greater == 1.0


def test_overlapping_forecasts_keep_their_size_where_the_naive_test_does_not() -> None:
    rng = np.random.default_rng(3)
    ours = naive = 0
    for _ in range(400):
        noise = rng.normal(size=203)
        d = noise[:-3] + noise[1:-2] + noise[2:-1] + noise[3:]  # moving average: horizon 4
        ours += diebold_mariano(d, 4).p_less < 0.05
        naive += diebold_mariano(d, 1).p_less < 0.05
    assert ours / 400 < 0.1
    assert naive / 400 > 0.15
