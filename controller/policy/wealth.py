"""Alpha wealth: how strict the next test must be, so that luck rarely promotes over a lifetime of tests.

Retraining never ends, so neither do the tests. LORD++ (Ramdas, Yang, Wainwright & Jordan 2017, "Online control
of the false discovery rate with decaying memory"; Javanmard & Montanari 2018) starts with a wealth w₀, pays the
level of every test out of it and earns wealth back with every rejection. The expected share of false promotions
among all promotions stays at or below α, at every time.

A *rejection* here is a promotion: "no better than the champion" was rejected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

HORIZON = 10_000
"""Tests over which the levels are spread: a retraining a day for 27 years, counted anew from each promotion."""

Gamma = Callable[[int], float]
"""γ_j for j = 1, 2, …: non-negative, falling, with a sum of at most 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wealth:
    """``level`` of the next test, and the wealth that is ``left`` before it is paid."""

    level: float
    left: float


def wealth(
    alpha: float,
    tests: int,
    rejections: Sequence[int],
    *,
    start: float | None = None,
    gamma: Gamma | None = None,
) -> Wealth:
    """The state after ``tests`` tests, of which those at the 0-based places ``rejections`` rejected.

    Args:
        alpha: the bound on the share of false rejections.
        tests: tests so far.
        rejections: places of the rejections, rising, each below ``tests``.
        start: the initial wealth w₀, at most ``alpha``; half of it by default.
        gamma: the spending sequence; `default_gamma` unless another is given.
    """
    first = alpha / 2.0 if start is None else start
    spend = gamma or default_gamma
    unspent = [first * (1.0 - _spent(spend, tests))]
    for rank, place in enumerate(rejections):
        earned = alpha - first if rank == 0 else alpha
        unspent.append(earned * (1.0 - _spent(spend, tests - (place + 1))))
    level = _level(alpha, first, tests + 1, rejections, spend)
    return Wealth(level=level, left=max(0.0, math.fsum(unspent)))


def next_level(
    alpha: float,
    tests: int,
    rejections: Sequence[int],
    *,
    start: float | None = None,
    gamma: Gamma | None = None,
) -> float:
    """Only the level of test number ``tests`` + 1; the arguments are those of `wealth`."""
    first = alpha / 2.0 if start is None else start
    return _level(alpha, first, tests + 1, rejections, gamma or default_gamma)


def _level(alpha: float, start: float, test: int, rejections: Sequence[int], gamma: Gamma) -> float:
    """γ_t w₀ + (α − w₀) γ_{t−τ₁} + α Σ_{j≥2} γ_{t−τ_j}, with the 1-based times τ of the rejections."""
    level = gamma(test) * start
    for rank, place in enumerate(rejections):
        weight = alpha - start if rank == 0 else alpha
        level += weight * gamma(test - (place + 1))
    return level


@cache
def _spent(gamma: Gamma, tests: int) -> float:
    """The part of an earning that ``tests`` later tests have paid away: γ_1 + … + γ_tests."""
    return math.fsum(gamma(j) for j in range(1, tests + 1))


def default_gamma(j: int) -> float:
    """γ_j ∝ log(max(j, 2)) / (j e^√log j) (Javanmard & Montanari 2018), cut at `HORIZON` and summing to 1."""
    return _shape(j) / _norm() if 1 <= j <= HORIZON else 0.0


def _shape(j: int) -> float:
    return math.log(max(j, 2)) / (j * math.exp(math.sqrt(math.log(j))))


@cache
def _norm() -> float:
    return math.fsum(_shape(j) for j in range(1, HORIZON + 1))
