"""Confidence sequences: intervals that hold at every look at once.

A shadow or canary is looked at again and again until it decides. Bounds here cover all looks
together (Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", normal mixtures, section 3.2). With the variance
estimated they are the asymptotic confidence sequences of Waudby-Smith et al. (2024).

A running count, sum and sum of squares is all the state there is: `RunningMoments`, a frozen fold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy import optimize, special

OPTIMAL_ROWS: Final = 1000.0
"""Look at which the bounds are tightest unless the caller says otherwise. It is a choice
made before the data: choosing it by the rows that came would undo the guarantee."""


def best_rho(v: float, alpha: float) -> float:
    """Mixing parameter that makes the two-sided bound (nearly) tightest at intrinsic time ``v``."""
    spent = 2.0 * math.log(1.0 / alpha)
    return v / (spent + math.log1p(spent))


def two_sided_bound(v: float, alpha: float, rho: float) -> float:
    """Bound on ``|sum|`` at intrinsic time (sum of variances) ``v``, level ``alpha``."""
    return math.sqrt((v + rho) * (math.log1p(v / rho) + 2.0 * math.log(1.0 / alpha)))


def one_sided_log_mixture(s: float, v: float, rho: float) -> float:
    """Log of the one-sided (half-normal) mixture: large only when ``s`` is large and positive."""
    scale = math.sqrt(v + rho)
    normal = float(special.log_ndtr(s / scale))
    return 0.5 * math.log(4.0 * rho / (v + rho)) + s * s / (2.0 * (v + rho)) + normal


def one_sided_bound(v: float, alpha: float, rho: float) -> float:
    """Bound on the sum from above at intrinsic time ``v``, level ``alpha``."""
    target = math.log(1.0 / alpha)
    high = two_sided_bound(v, alpha, rho) + 1.0
    while one_sided_log_mixture(high, v, rho) < target:
        high *= 2.0
    return float(
        optimize.brentq(lambda s: one_sided_log_mixture(s, v, rho) - target, 0.0, high, xtol=1e-12)
    )


@dataclass(frozen=True, slots=True)
class RunningMoments:
    """Count, mean and sum of squared deviations of a stream: the whole state of a sequence."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def variance(self) -> float:
        """Sample variance; zero below two values."""
        return self.squares / (self.n - 1) if self.n > 1 else 0.0


def add_observation(state: RunningMoments, value: float) -> RunningMoments:
    """The state after one more value (Welford's update)."""
    n = state.n + 1
    delta = value - state.mean
    mean = state.mean + delta / n
    return RunningMoments(n, mean, state.squares + delta * (value - mean))


def merge(left: RunningMoments, right: RunningMoments) -> RunningMoments:
    """The state of both streams together, so that batches may be folded apart."""
    n = left.n + right.n
    if n == 0:
        return RunningMoments()
    delta = right.mean - left.mean
    mean = left.mean + delta * right.n / n
    squares = left.squares + right.squares + delta * delta * left.n * right.n / n
    return RunningMoments(n, mean, squares)


@dataclass(frozen=True, slots=True)
class SequenceInterval:
    """Bounds on the mean that hold at all looks, and p-values valid at any stopping time."""

    low: float
    high: float
    p_less: float
    p_greater: float


def sequence_interval(
    state: RunningMoments, confidence: float, *, optimal_rows: float = OPTIMAL_ROWS
) -> SequenceInterval:
    """Two-sided bounds on the mean; each side spends half of 1 - ``confidence``.

    Works in units of the standard deviation, so intrinsic time is the number of values.
    Without at least two differing values the bounds are infinite and the p-values 1.
    """
    if state.n < 2 or state.variance <= 0.0:
        return SequenceInterval(-math.inf, math.inf, 1.0, 1.0)
    alpha = (1.0 - confidence) / 2.0
    rho = best_rho(optimal_rows, alpha)
    deviation = math.sqrt(state.variance)
    reach = deviation * one_sided_bound(state.n, alpha, rho) / state.n
    total = state.mean * state.n / deviation
    return SequenceInterval(
        state.mean - reach,
        state.mean + reach,
        math.exp(-max(0.0, one_sided_log_mixture(-total, state.n, rho))),
        math.exp(-max(0.0, one_sided_log_mixture(total, state.n, rho))),
    )
