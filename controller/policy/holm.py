"""Holm's procedure, for gates of which any one would do.

Gates that must all pass need no correction against a false promotion: the worst of them already bounds it
(intersection-union). Where any of several suffices, each further one is another chance for luck.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values in the order given (Holm 1979): reject those at or below the level.

    Raises `ValueError` for a value outside [0, 1], NaN among them: missing evidence has p = 1.
    """
    if not all(0.0 <= p <= 1.0 for p in p_values):
        raise ValueError("p-values lie between 0 and 1")
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def holm_rejects(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected while the chance of any false rejection stays at ``alpha``."""
    return tuple(p <= alpha for p in holm_adjusted(p_values))
