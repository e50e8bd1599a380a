"""What a holdout that is used again may still decide."""

from __future__ import annotations

import math

import pytest

from controller.policy.holdout_budget import (
    SPENT,
    Adaptivity,
    HoldoutBudget,
    holdout_state,
)


@pytest.mark.parametrize(
    ("adaptivity", "level"),
    [("none", 0.01 / 32), ("full", 0.01 / 2**32), ("first_change", 0.01 / 32)],
)
def test_level_of_a_step(adaptivity: Adaptivity, level: float):
    budget = HoldoutBudget(steps=32, reliability=0.99, adaptivity=adaptivity)
    assert budget.level == pytest.approx(level)


def test_full_adaptivity_over_many_steps_does_not_overflow():
    budget = HoldoutBudget(steps=5000, reliability=0.99, adaptivity="full")
    assert budget.level == 0.0
    assert budget.log_level == pytest.approx(math.log(0.01) - 5000 * math.log(2))


@pytest.mark.parametrize(
    ("adaptivity", "evaluations", "passes", "left", "spent"),
    [
        pytest.param("none", 0, 0, 3, False, id="fresh"),
        pytest.param("none", 2, 2, 1, False, id="passes cost no more than fails"),
        pytest.param("full", 3, 0, 0, True, id="all steps taken"),
        pytest.param("full", 9, 0, 0, True, id="more than all"),
        pytest.param("first_change", 1, 0, 2, False, id="first change, none yet"),
        pytest.param("first_change", 1, 1, 0, True, id="first change, a pass"),
    ],
)
def test_state(adaptivity: Adaptivity, evaluations: int, passes: int, left: int, *, spent: bool):
    budget = HoldoutBudget(steps=3, reliability=0.95, adaptivity=adaptivity)
    state = holdout_state(budget, evaluations=evaluations, passes=passes)
    assert (state.left, state.spent) == (left, spent)
    assert state.reason == (SPENT if spent else "")


@pytest.mark.parametrize(("steps", "reliability"), [(0, 0.9), (3, 1.0), (3, 0.0), (3, math.nan)])
def test_impossible_budgets_are_refused(steps: int, reliability: float):
    with pytest.raises(ValueError):
        HoldoutBudget(steps=steps, reliability=reliability)
