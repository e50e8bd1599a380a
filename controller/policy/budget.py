"""The error budget: at which level the next test is judged, so that luck alone rarely promotes."""

from __future__ import annotations

from controller.domain.rules import ErrorBudget
from controller.domain.snapshot import BudgetView, HoldoutUse
from controller.policy.holdout_budget import HoldoutBudget, HoldoutState, holdout_state
from controller.policy.phrase import format_number, percent
from controller.policy.wealth import next_level, wealth


def level_of_next_test(budget: ErrorBudget | None, book: BudgetView) -> float | None:
    """α of the next challenger's test; None where the policy has no budget."""
    if budget is None:
        return None
    return next_level(budget.false_promotions, book.tests, book.rejections)


def holdout_left(budget: ErrorBudget | None, use: HoldoutUse | None) -> HoldoutState | None:
    """What the holdout that judged has left; None where the policy does not budget it."""
    if budget is None or budget.holdout_steps is None or use is None:
        return None
    return holdout_state(_holdout(budget), evaluations=use.evaluations, passes=use.passes)


def holdout_level(budget: ErrorBudget | None) -> float | None:
    """α of one evaluation of a holdout that is used again; None where the policy does not budget it."""
    if budget is None or budget.holdout_steps is None:
        return None
    return _holdout(budget).level


def _holdout(budget: ErrorBudget) -> HoldoutBudget:
    return HoldoutBudget(
        steps=budget.holdout_steps or 1,
        reliability=1.0 - budget.false_promotions,
        adaptivity=budget.adaptivity,
    )


def wealth_words(budget: ErrorBudget | None, book: BudgetView, level: float) -> str:
    """``judged at α = 0.0087; wealth 0.031 of a budget of 5 %``, as the reviewer reads it."""
    if budget is None:
        return f"judged at α = {format_number(level)}"
    left = wealth(budget.false_promotions, book.tests, book.rejections).left
    return (
        f"judged at α = {format_number(level)}; wealth {format_number(left)} "
        f"of a budget of {percent(budget.false_promotions)}"
    )
