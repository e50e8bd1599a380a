"""What the kinds share that hold the challenger's value against a number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
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
        room = -self.question.sign * (values["challenger"] - gate.threshold)
        return Drawing(point=room, need=0.0)
