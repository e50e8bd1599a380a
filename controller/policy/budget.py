"""The error budget: at which level the next test is judged, so that luck alone rarely promotes."""

from __future__ import annotations

from controller.domain.rules import ErrorBudget
from controller.domain.snapshot import BudgetView
from controller.policy.phrase import number, percent
from controller.policy.wealth import next_level, wealth


def level_of_next_test(budget: ErrorBudget | None, book: BudgetView) -> float | None:
    """α of the next challenger's test; None where the policy has no budget."""
    if budget is None:
        return None
    return next_level(budget.false_promotions, book.tests, book.rejections)


def wealth_words(budget: ErrorBudget | None, book: BudgetView, level: float) -> str:
    """``judged at α = 0.0087; wealth 0.031 of a budget of 5 %``, as the reviewer reads it."""
    if budget is None:
        return f"judged at α = {number(level)}"
    left = wealth(budget.false_promotions, book.tests, book.rejections).left
    return (
        f"judged at α = {number(level)}; wealth {number(left)} "
        f"of a budget of {percent(budget.false_promotions)}"
    )
