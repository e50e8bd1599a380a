"""The resampling engine: right moments, exact sums, the same bits every time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from controller.evidence.resampling import (
    _COUNTS,
    EXACT_ROWS,
    bit_generator,
    count_chunks,
    derive_seed,
    resampled_sums,
    sum_by_block,
)


def test_the_count_table_has_the_moments_of_poisson_one() -> None:
    counts = np.repeat(np.arange(len(_COUNTS)), _COUNTS)
    assert counts.size == 256
    assert counts.mean() == 1.0
    assert counts.var() == 1.0
    assert np.mean((counts - 1.0) ** 3) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("units", [3, 50, EXACT_ROWS])
def test_small_samples_draw_exactly_n_rows(units: int) -> None:
    for counts in count_chunks("seed", units, 40):
        assert (counts.sum(axis=1) == units).all()
        assert counts.shape[1] == units


@pytest.mark.parametrize("units", [200, EXACT_ROWS + 1])
def test_mean_and_deviation_of_resampled_sums(units: int) -> None:
    values = np.random.default_rng(1).exponential(size=units)
    columns = np.stack([values, np.ones(units)])
    sums = resampled_sums(columns, seed="seed", resamples=4000)
    means = sums[0] / sums[1]
    error = values.std() / np.sqrt(units)
    assert means.mean() == pytest.approx(values.mean(), abs=5 * error / np.sqrt(4000))
    assert means.std() == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("units", [1000, 20_000])
def test_sums_do_not_depend_on_threads_or_order_of_columns(units: int) -> None:
    columns = np.random.default_rng(2).normal(size=(3, units))
    with threadpool_limits(1):
        one = resampled_sums(columns, seed=7, resamples=300)
    with threadpool_limits(2):
        two = resampled_sums(columns, seed=7, resamples=300)
    swapped = resampled_sums(columns[::-1], seed=7, resamples=300)[::-1]
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() == swapped.tobytes()


def test_sums_are_those_of_the_counts() -> None:
    columns = np.random.default_rng(3).normal(size=(2, 500))
    counts = np.concatenate(list(count_chunks(11, 500, 50)))
    sums = resampled_sums(columns, seed=11, resamples=50)
    np.testing.assert_allclose(sums, columns @ counts.T, rtol=0, atol=1e-8)


def test_the_stream_is_pinned() -> None:
    """Another numpy, processor or thread count must not change stored evidence."""
    columns = np.arange(5000.0)[None, :] ** 2
    small = resampled_sums(columns[:, :100], seed="pinned", resamples=16)
    large = resampled_sums(columns, seed="pinned", resamples=16)
    digest = hashlib.sha256(small.tobytes() + large.tobytes()).hexdigest()
    assert digest[:16] == "ef3bf8a676bc0aef"


def test_seeds_differ_by_every_part_and_type() -> None:
    seeds = {derive_seed("a", 1), derive_seed("a", "1"), derive_seed("a1"), derive_seed("a", 2)}
    assert len(seeds) == 4
    assert derive_seed("a", 1) == derive_seed("a", 1)


def test_purposes_have_streams_of_their_own() -> None:
    one, two = (bit_generator(1, purpose).random_raw(4) for purpose in ("x", "y"))
    assert not np.array_equal(one, two)


def test_sum_by_block() -> None:
    columns = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    summed = sum_by_block(columns, np.array([0, 1, 0, 1]), 2)
    np.testing.assert_array_equal(summed, [[4.0, 6.0], [2.0, 2.0]])
