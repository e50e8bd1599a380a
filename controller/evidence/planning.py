"""How many rows a question needs, before anybody trains.

`rows_needed` is the textbook size for a paired difference; the rest are the distribution-free
sizes of ease.ml/ci (Renggli et al., MLSys 2019, "Continuous integration of machine learning
models with ease.ml/ci"), which also say how many commits may share one test set.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import assert_never

from scipy import special


class HoldoutAdaptivity(StrEnum):
    """What the trainer learns from each evaluation on the same holdout."""

    NONE = "none"
    FULL = "full"
    FIRST_CHANGE = "first_change"


def rows_needed(sigma: float, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Rows for a one-sided test of level ``alpha`` to see ``margin`` with probability ``power``.

    ``sigma`` is the standard deviation of a row's paired difference. Rounded up.
    """
    return math.ceil(((_z(1.0 - alpha) + _z(power)) * sigma / margin) ** 2)


def _z(probability: float) -> float:
    return float(special.ndtri(probability))


def log_hypotheses(steps: int, adaptivity: HoldoutAdaptivity) -> float:
    """Log of the number of events a budget of ``steps`` evaluations must cover."""
    match adaptivity:
        case HoldoutAdaptivity.FULL:
            return steps * math.log(2.0)
        case HoldoutAdaptivity.NONE | HoldoutAdaptivity.FIRST_CHANGE:
            return math.log(steps)
        case _:
            assert_never(adaptivity)


def hoeffding_rows(
    epsilon: float,
    delta: float,
    *,
    value_range: float = 1.0,
    steps: int = 1,
    adaptivity: HoldoutAdaptivity = HoldoutAdaptivity.NONE,
) -> float:
    """Rows for a one-sided tolerance ``epsilon`` on a mean of values spanning ``value_range``.

    r**2 (ln(steps or 2**steps) + ln(1/delta)) / (2 epsilon**2), not rounded.
    """
    log_inverse = log_hypotheses(steps, adaptivity) - math.log(delta)
    return value_range**2 * log_inverse / (2.0 * epsilon**2)


def hoeffding_sum_rows(
    epsilon: float,
    delta: float,
    *,
    coefficients: tuple[float, ...],
    steps: int = 1,
    adaptivity: HoldoutAdaptivity = HoldoutAdaptivity.NONE,
) -> float:
    """Rows for a tolerance on a weighted sum of accuracies: each term gets delta / k.

    The tolerance is shared in proportion to the coefficients, which makes the terms need
    the same rows: the smallest size there is.
    """
    weights = [abs(c) for c in coefficients]
    return hoeffding_rows(
        epsilon / sum(weights), delta / len(weights), steps=steps, adaptivity=adaptivity
    )


def _bennett_h(u: float) -> float:
    return (1.0 + u) * math.log1p(u) - u


def bennett_rows(
    epsilon: float,
    delta: float,
    *,
    disagreement: float,
    steps: int = 1,
    adaptivity: HoldoutAdaptivity = HoldoutAdaptivity.NONE,
) -> float:
    """Rows for a difference of two models that disagree on fewer than ``disagreement`` of rows.

    (ln H - ln(delta/4)) / (p h(epsilon/p)), h(u) = (1 + u) ln(1 + u) - u; a quarter of delta
    since the disagreement itself is tested as well, both on two sides.
    """
    spent = log_hypotheses(steps, adaptivity) - math.log(delta / 4.0)
    return spent / (disagreement * _bennett_h(epsilon / disagreement))
