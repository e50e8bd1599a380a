"""What a gate asks, turned into one statistic that is negative when the need is met.

With lower better (for scores all signs turn), C the challenger and R the reference:

    better_than      C - R + margin < 0     relative margin: C - (1 - r) R < 0
    not_worse_than   C - R - margin < 0     relative margin: C - (1 + r) R < 0
    at_most          C - threshold < 0
    at_least         threshold - C < 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from controller.domain.evidence import STATISTICAL_TESTS
from controller.domain.metrics import Metric
from controller.domain.rules import Comparison, GateQuestion
from controller.evidence.inputs import Unusable
from controller.evidence.losses import Array, row_loss


@dataclass(frozen=True, kw_only=True)
class Question:
    """One gate's question. ``margin`` is in the metric's unit, or a fraction if ``relative``."""

    metric: str
    comparison: Comparison
    margin: float = 0.0
    relative: bool = False
    threshold: float | None = None
    known: Metric | None = None
    """The metric itself, where nobody else knows it: what is compared are then its values, row by row."""

    @property
    def _asks(self) -> GateQuestion:
        return self.comparison.question

    @property
    def paired(self) -> bool:
        """Whether a reference model is asked for."""
        return self._asks.paired

    @property
    def grants(self) -> bool:
        """Whether the margin is a loss that is accepted, rather than a gain that is asked for."""
        return self._asks.margin_sign < 0.0

    @property
    def signed_margin(self) -> float:
        """What is added to theta: the margin for superiority, its negative for non-inferiority."""
        return self._asks.margin_sign * self.margin

    def combine(self, metric: Metric) -> Callable[[tuple[Array, ...]], Array]:
        """Maps values of the sides, (b,) each, to challenger, reference, difference, theta: (4, b)."""
        sign = 1.0 if metric.lower_is_better else -1.0

        def paired(sides: tuple[Array, ...]) -> Array:
            new, old = sides
            slack = self.signed_margin * (np.abs(old) if self.relative else 1.0)
            return np.stack([new, old, new - old, sign * (new - old) + slack])

        def alone(sides: tuple[Array, ...]) -> Array:
            (new,) = sides
            difference = new - float(self.threshold or 0.0)
            turned = self._asks.turned(difference)
            return np.stack([new, np.full_like(new, self.threshold), difference, turned])

        return paired if self.paired else alone

    def row_values(
        self, metric: Metric, y: Any, new: Any, old: Any | None
    ) -> tuple[Array, Array] | None:
        """Difference and theta of each row, (n,) each, for a mean of losses; else None."""
        loss = row_loss(metric)
        if loss is None:
            return None
        sign = 1.0 if metric.lower_is_better else -1.0
        left = loss(y, new)
        if old is None:
            difference = left - float(self.threshold or 0.0)
            return difference, self._asks.turned(difference)
        right = loss(y, old)
        slack = self.signed_margin * (right if self.relative else 1.0)
        return left - right, sign * (left - right) + slack


def check_question(question: Question, reference: Any | None, test: str, confidence: float) -> None:
    """Raise `Unusable` for a question that has no answer, whatever the data."""
    if not (_number(confidence) and 0.5 < confidence < 1.0):
        raise Unusable(
            f"The confidence must lie between 0.5 and 1, such as 0.95; found {confidence}."
        )
    if test not in STATISTICAL_TESTS:
        raise Unusable(
            f"The test {test!r} is not known: use one of {', '.join(STATISTICAL_TESTS)}."
        )
    if not (_number(question.margin) and question.margin >= 0.0):
        raise Unusable(
            f"The margin must be a number that is not negative; found {question.margin}."
        )
    if question.grants and question.margin == 0.0:
        raise Unusable(
            "A margin of 0 leaves no room for 'not worse than': give a margin, or ask for better_than."
        )
    if question.paired and reference is None:
        raise Unusable("There is no reference to compare with: no predictions of it were given.")
    if not question.paired and not _number(question.threshold):
        raise Unusable(
            f"{question.comparison.value} needs a threshold; found {question.threshold}."
        )


def _number(value: Any) -> bool:
    """A finite int or float (bool is neither here)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
