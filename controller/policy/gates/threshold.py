"""What the kinds share that hold the challenger's value against a number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.metrics import Metric
from controller.domain.rules import Gate
from controller.policy.gates.base import Drawing, GateKind
from controller.policy.phrase import format_number


@dataclass(frozen=True, kw_only=True)
class ThresholdKind(GateKind):
    """A gate with a threshold: the value alone counts, luck is not asked."""

    @abstractmethod
    def met(self, value: float, threshold: float) -> bool:
        """Whether ``value`` meets the need."""

    def rests(self, *, improved: bool) -> bool:  # noqa: ARG002 (never)
        """Never: a threshold does not compare with the champion."""
        return False

    def compare(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:  # noqa: ARG002 (no luck)
        """The value against the threshold."""
        value, threshold = evidence.challenger, gate.threshold
        if value is None or threshold is None:
            what = f"{gate.metric} has no value to compare"
            return self.outcome(gate, evidence, Result.ERROR, what)
        result = Result.PASS if self.met(value, threshold) else Result.FAIL
        return self.outcome(gate, evidence, result, f"{gate.metric} {format_number(value)}")

    def draw(self, gate: Gate, values: Mapping[str, Any]) -> Drawing | None:
        """How much room the value leaves on the good side of the threshold."""
        if gate.threshold is None:
            return None
        room = -self.question.turned(values["challenger"] - gate.threshold)
        return Drawing(point=room, need=0.0)

    def never_fails(self, gate: Gate, metric: Metric | None) -> str:
        """The worst value that the metric can have is good enough."""
        if metric is None or gate.threshold is None:
            return ""
        worst = metric.upper_bound if self.question.sign > 0 else metric.lower_bound
        if not self.question.sign or worst is None or not self.met(worst, gate.threshold):
            return ""
        return _beyond(gate, worst, above=self.question.sign > 0)

    def never_passes(self, gate: Gate, metric: Metric | None) -> str:
        """The best value that the metric can have, or the one nearest to the threshold, is not good enough."""
        if metric is None or gate.threshold is None:
            return ""
        low, high, sign = metric.lower_bound, metric.upper_bound, self.question.sign
        too_low = low is not None and gate.threshold < low
        too_high = high is not None and gate.threshold > high
        if not sign and not too_low and not too_high:
            return ""
        above = sign < 0 or (not sign and too_high)
        best = high if above else low
        if best is None or self.met(best, gate.threshold):
            return ""
        return _beyond(gate, best, above=above)


def _beyond(gate: Gate, bound: float, *, above: bool) -> str:
    return f"{gate.metric} is never {'above' if above else 'below'} {bound:g}"
