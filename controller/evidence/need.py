"""What a gate asks, turned into one statistic that is negative when the need is met.

With lower better (for scores all signs turn), C the challenger and R the reference:

    superiority      C - R + margin < 0     relative margin: C - (1 - r) R < 0
    non-inferiority  C - R - margin < 0     relative margin: C - (1 + r) R < 0
    at_most          C - threshold < 0
    at_least         threshold - C < 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

import numpy as np

from controller.domain.evidence import STATISTICAL_TESTS
from controller.domain.metrics import Metric
from controller.domain.rules import Comparison, GateQuestion, question_of
from controller.evidence.inputs import Unusable
from controller.evidence.losses import Array, row_loss


class Need(StrEnum):
    """What the policy asks of the challenger."""

    SUPERIORITY = "superiority"
    """Better than the reference by more than the margin."""
    NON_INFERIORITY = "non_inferiority"
    """Not worse than the reference by the margin or more."""
    AT_MOST = "at_most"
    AT_LEAST = "at_least"

    @property
    def comparison(self) -> Comparison:
        """How a policy writes it."""
        match self:
            case Need.SUPERIORITY:
                return Comparison.BETTER_THAN
            case Need.NON_INFERIORITY:
                return Comparison.NOT_WORSE_THAN
            case Need.AT_MOST:
                return Comparison.AT_MOST
            case Need.AT_LEAST:
                return Comparison.AT_LEAST
            case _:
                assert_never(self)


def need_of(comparison: Comparison) -> Need:
    """What a policy's comparison asks of the challenger."""
    return next(need for need in Need if need.comparison is comparison)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One gate's question. ``margin`` is in the metric's unit, or a fraction if ``relative``."""

    metric: str
    need: Need
    margin: float = 0.0
    relative: bool = False
    threshold: float | None = None

    @property
    def _asks(self) -> GateQuestion:
        return question_of(self.need.comparison)

    @property
    def paired(self) -> bool:
        """Whether a reference model is asked for."""
        return self._asks.paired

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
            turned = self._asks.sign * difference
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
            return difference, self._asks.sign * difference
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
    if question.need is Need.NON_INFERIORITY and question.margin == 0.0:
        raise Unusable(
            "A margin of 0 leaves no room for 'not worse than': give a margin, or ask for better_than."
        )
    if question.paired and reference is None:
        raise Unusable("There is no reference to compare with: no predictions of it were given.")
    if not question.paired and not _number(question.threshold):
        raise Unusable(f"{question.need.value} needs a threshold; found {question.threshold}.")


def _number(value: Any) -> bool:
    """A finite int or float (bool is neither here)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
