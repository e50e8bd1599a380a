"""LORD++ against the levels that the R package onlineFDR prints in its vignette, and its bounds."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.policy.wealth import HORIZON, default_gamma, next_level, wealth

# onlineFDR, vignette "Advanced usage of onlineFDR", column LORD.plus (alpha = 0.05, w0 = alpha / 10, the
# package's default gamma sequence). The first, seventh and ninth of its fifteen tests reject.
REJECTED = (0, 6, 8)
LEVELS = [
    *(0.0002675839, 0.0024664457, 0.0005732818, 0.0004872805, 0.0004059066),
    *(0.0003447286, 0.0002986627, 0.0029389397, 0.0008168502, 0.0033835974),
    *(0.0011873999, 0.0010225858, 0.0008785607, 0.0007679398, 0.0006820264),
]


def package_gamma(j: int) -> float:
    """The default sequence of the package, whose printed constant makes it sum to 1 without end."""
    return 0.07720838 * math.log(max(j, 2)) / (j * math.exp(math.sqrt(math.log(j))))


def test_levels_are_those_of_the_published_example():
    for test, expected in enumerate(LEVELS):
        before = [place for place in REJECTED if place < test]
        level = next_level(0.05, test, before, start=0.005, gamma=package_gamma)
        assert level == pytest.approx(expected, abs=5e-10)


def test_the_spending_sequence_falls_and_sums_to_one():
    values = [default_gamma(j) for j in range(1, HORIZON + 1)]
    assert math.fsum(values) == pytest.approx(1.0)
    assert all(later <= earlier for earlier, later in pairwise(values[2:]))
    assert default_gamma(HORIZON + 1) == default_gamma(0) == 0.0


def test_wealth_is_what_was_earned_less_what_was_paid():
    rejections = [2, 5, 6]
    paid = sum(next_level(0.05, t, [r for r in rejections if r < t]) for t in range(9))
    left = wealth(0.05, 9, rejections).left
    assert left == pytest.approx(0.025 + 0.025 + 0.05 + 0.05 - paid)


places = st.lists(st.booleans(), max_size=60)


@given(places, st.floats(0.001, 0.5))
def test_wealth_never_runs_out_and_pays_the_next_level(rejected: list[bool], alpha: float):
    rejections = [place for place, yes in enumerate(rejected) if yes]
    state = wealth(alpha, len(rejected), rejections)
    assert 0.0 < state.level <= state.left + 1e-12
    assert state.level == next_level(alpha, len(rejected), rejections)
    assert state.left <= alpha * max(1, len(rejections)) + 1e-12


def test_a_promotion_earns_wealth_and_a_test_pays_it():
    fresh = wealth(0.05, 0, [])
    tested = wealth(0.05, 1, [])
    promoted = wealth(0.05, 1, [0])
    assert fresh.left == 0.025
    assert tested.left == pytest.approx(0.025 - fresh.level)
    assert promoted.left == pytest.approx(tested.left + 0.025)
    assert promoted.level > tested.level


def test_the_levels_of_a_barren_stream_sum_to_the_start():
    total = math.fsum(next_level(0.05, t, []) for t in range(HORIZON))
    assert total == pytest.approx(0.025)


def test_false_promotions_over_200_retrainings_stay_within_the_budget():
    dice = random.Random(4)
    levels = [next_level(0.05, t, []) for t in range(200)]
    streams = 2000
    fooled = sum(any(dice.random() < level for level in levels) for _ in range(streams))
    assert fooled / streams < 0.05


def test_half_of_the_promotions_are_right_and_few_of_the_rest_are_false():
    """The mean share of false promotions over streams in which every third challenger is better."""
    dice = random.Random(5)
    shares = []
    for _ in range(60):
        rejections: list[int] = []
        false = 0
        for test in range(60):
            null = test % 3 != 0
            p = dice.random() if null else dice.random() ** 8
            if p <= next_level(0.1, test, rejections):
                rejections.append(test)
                false += null
        shares.append(false / max(1, len(rejections)))
    assert sum(shares) / len(shares) < 0.1
