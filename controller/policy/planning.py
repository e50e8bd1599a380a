"""How many rows a comparison needs, and what a number of rows can see. Standard library only."""

from __future__ import annotations

import math
from statistics import NormalDist

PLANNED_POWER = 0.8
"""The chance that a real improvement of the margin's size is seen, where nobody says otherwise."""


def paired_rows_needed(
    spread: float, margin: float, *, confidence: float, power: float = PLANNED_POWER
) -> int:
    """Rows of a paired comparison that can tell ``margin`` from nothing.

    n = ((z_confidence + z_power) · spread / margin)², rounded up: the one-sided normal approximation.

    Args:
        spread: standard deviation of the difference of a row, in the unit of ``margin``.
        margin: the smallest difference that must be seen, above zero.
        confidence: of the one-sided interval, as in a gate (0.95).
        power: the chance to see a difference of exactly ``margin``.
    """
    z = _quantile(confidence) + _quantile(power)
    return math.ceil((z * spread / margin) ** 2)


def difference_seen(
    spread: float, rows: int, *, confidence: float, power: float = PLANNED_POWER
) -> float:
    """The smallest difference that ``rows`` rows can tell from nothing; the inverse of :func:`paired_rows_needed`."""
    return (_quantile(confidence) + _quantile(power)) * spread / math.sqrt(rows)


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
