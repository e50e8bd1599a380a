"""Confidence sequences: the check numbers, the fold, and coverage at every look at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.evidence.sequence import (
    RunningMoments,
    add_observation,
    best_rho,
    merge,
    one_sided_bound,
    one_sided_log_mixture,
    sequence_interval,
    two_sided_bound,
)


def test_check_numbers() -> None:
    rho = best_rho(100.0, 0.05)
    assert rho == pytest.approx(12.60056, abs=5e-6)
    assert two_sided_bound(100.0, 0.05, rho) == pytest.approx(30.35209, abs=5e-6)
    assert one_sided_bound(100.0, 0.05, best_rho(100.0, 0.1)) == pytest.approx(27.66071, abs=5e-6)


@pytest.mark.parametrize("v", [1.0, 50.0, 1e4])
def test_bounds_are_where_the_mixtures_reach_their_level(v: float) -> None:
    rho = best_rho(100.0, 0.05)
    one = one_sided_bound(v, 0.05, rho)
    assert one_sided_log_mixture(one, v, rho) == pytest.approx(math.log(20.0))
    assert one < two_sided_bound(v, 0.05, rho)


values = st.lists(st.floats(-1e3, 1e3), min_size=0, max_size=40)


@given(values, values)
def test_merging_two_folds_is_folding_all(left: list[float], right: list[float]) -> None:
    def fold(items: list[float]) -> RunningMoments:
        state = RunningMoments()
        for item in items:
            state = add_observation(state, item)
        return state

    both, merged = fold(left + right), merge(fold(left), fold(right))
    assert merged.n == both.n
    assert merged.mean == pytest.approx(both.mean, abs=1e-6)
    assert merged.squares == pytest.approx(both.squares, rel=1e-6, abs=1e-4)


def test_running_variance_is_numpys() -> None:
    items = np.random.default_rng(1).normal(5.0, 2.0, 100)
    state = RunningMoments()
    for item in items:
        state = add_observation(state, float(item))
    assert state.mean == pytest.approx(items.mean())
    assert state.variance == pytest.approx(items.var(ddof=1))


@pytest.mark.parametrize("n", [0, 1, 2], ids=["nothing", "one value", "two equal values"])
def test_nothing_is_known_at_first(n: int) -> None:
    state = RunningMoments()
    for _ in range(n):
        state = add_observation(state, 1.0)
    found = sequence_interval(state, 0.95)
    assert found.low == -math.inf
    assert found.p_less == found.p_greater == 1.0


def test_p_value_is_the_inversion_of_the_interval() -> None:
    plain = sequence_interval(RunningMoments(400, 0.0, 399.0), 0.9)
    moved = sequence_interval(RunningMoments(400, -plain.high, 399.0), 0.9)
    assert moved.high == pytest.approx(0.0, abs=1e-12)
    assert moved.p_less == pytest.approx(0.05)


def test_thirty_looks_at_identical_models() -> None:
    """The fixed-n rule promotes in about a quarter of the streams, the sequence hardly ever."""
    rng = np.random.default_rng(2)
    looks = np.arange(1, 31) * 100
    naive = ours = 0
    for _ in range(400):
        sums = np.cumsum(rng.normal(size=3000))[looks - 1]
        naive += bool((sums / np.sqrt(looks) < -1.645).any())
        states = [
            RunningMoments(int(n), s / n, float(n - 1)) for n, s in zip(looks, sums, strict=True)
        ]
        ours += any(sequence_interval(state, 0.9).high < 0.0 for state in states)
    assert 0.15 < naive / 400 < 0.35
    assert ours / 400 < 0.05
