"""The error budget: at which level the next test is judged, so that luck alone rarely promotes."""

from __future__ import annotations

import math
from functools import cache

from controller.domain.rules import ErrorBudget
from controller.domain.snapshot import BudgetView
from controller.policy.phrase import number

_HORIZON = 10_000


def level_of_next_test(budget: ErrorBudget | None, book: BudgetView) -> float | None:
    """α of the next challenger's test; None where the policy has no budget."""
    if budget is None:
        return None
    return _levels(budget.false_promotions, book)


def wealth_words(budget: ErrorBudget | None, book: BudgetView, level: float) -> str:
    """``judged at α = 0.0087``, as the reviewer reads it."""
    share = "" if budget is None else f" of a budget of {number(budget.false_promotions)}"
    return f"test {book.tests + 1} was judged at α = {number(level)}{share}"


def _levels(alpha: float, book: BudgetView) -> float:
    """LORD++ (Ramdas et al. 2017): γ_t w₀ + (α − w₀) γ_{t−τ₁} + α Σ_{j≥2} γ_{t−τ_j}, with w₀ = α/2."""
    t, start = book.tests + 1, alpha / 2
    level = _gamma(t) * start
    for rank, rejection in enumerate(book.rejections):
        weight = alpha - start if rank == 0 else alpha
        level += weight * _gamma(t - (rejection + 1))
    return level


@cache
def _norm() -> float:
    return sum(_shape(j) for j in range(1, _HORIZON + 1))


def _shape(j: int) -> float:
    return math.log(max(j, 2)) / (j * math.exp(math.sqrt(math.log(max(j, 1)))))


def _gamma(j: int) -> float:
    return _shape(j) / _norm() if j >= 1 else 0.0
