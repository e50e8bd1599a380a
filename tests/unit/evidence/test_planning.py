"""Sizes: the planning formula against statsmodels, ease.ml/ci against the paper's numbers."""

from __future__ import annotations

from math import ceil

import pytest
from statsmodels.stats.power import normal_sample_size_one_tail

from controller.evidence.planning import (
    HoldoutAdaptivity,
    bennett_rows,
    hoeffding_rows,
    hoeffding_sum_rows,
    rows_needed,
)

NONE, FULL, FIRST = HoldoutAdaptivity.NONE, HoldoutAdaptivity.FULL, HoldoutAdaptivity.FIRST_CHANGE


def test_rows_needed() -> None:
    assert rows_needed(0.3, 0.05, alpha=0.05, power=0.8) == 223
    theirs = normal_sample_size_one_tail(0.05, 0.8, 0.05, std_null=0.3)
    assert rows_needed(0.3, 0.05) == ceil(theirs)


@pytest.mark.parametrize(
    ("steps", "adaptivity", "rows"),
    [(1, NONE, 46_052), (32, NONE, 63_381), (32, FULL, 156_956), (32, FIRST, 63_381)],
    ids=["single", "none", "full", "first change"],
)
def test_hoeffding_at_one_percent(steps: int, adaptivity: HoldoutAdaptivity, rows: int) -> None:
    assert ceil(hoeffding_rows(0.01, 1e-4, steps=steps, adaptivity=adaptivity)) == rows


def test_hoeffding_at_five_percent() -> None:
    assert ceil(hoeffding_rows(0.05, 1e-4, steps=32, adaptivity=FULL)) == 6_279


@pytest.mark.parametrize(("adaptivity", "rows"), [(NONE, 29_048), (FULL, 67_706)])
def test_bennett(adaptivity: HoldoutAdaptivity, rows: int) -> None:
    found = bennett_rows(0.01, 1e-4, disagreement=0.1, steps=32, adaptivity=adaptivity)
    assert ceil(found) == rows


@pytest.mark.parametrize(("adaptivity", "rows"), [(NONE, 44_268), (FULL, 58_799)])
def test_wide_range(adaptivity: HoldoutAdaptivity, rows: int) -> None:
    found = hoeffding_rows(0.02, 0.001, value_range=2.0, steps=7, adaptivity=adaptivity)
    assert round(found) == rows


@pytest.mark.parametrize(
    ("delta", "epsilon", "expected"),
    [
        (1e-2, 0.1, (404, 1_340, 1_753, 5_496)),
        (1e-3, 0.05, (2_075, 5_818, 8_854, 23_826)),
        (1e-4, 0.01, (63_381, 156_956, 267_385, 641_684)),
    ],
    ids=["0.99", "0.999", "0.9999"],
)
def test_table_of_ease_ml_ci(
    delta: float, epsilon: float, expected: tuple[int, int, int, int]
) -> None:
    found = [
        *(hoeffding_rows(epsilon, delta, steps=32, adaptivity=a) for a in (NONE, FULL)),
        *(
            hoeffding_sum_rows(epsilon, delta, coefficients=(1, -1), steps=32, adaptivity=a)
            for a in (NONE, FULL)
        ),
    ]
    assert tuple(ceil(rows) for rows in found) == expected


def test_a_factor_multiplies_by_its_square() -> None:
    plain = hoeffding_rows(0.1, 0.01)
    assert hoeffding_sum_rows(0.1, 0.01, coefficients=(3.0,)) == pytest.approx(9 * plain)
