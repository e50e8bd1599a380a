"""What the kinds share that hold the challenger against another model on the same rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.metrics import Metric
from controller.domain.rules import Gate
from controller.policy.gates.base import Drawing, GateKind, gain_sign
from controller.policy.gates.outcomes import against, outcome


@dataclass(frozen=True, kw_only=True)
class PairedKind(GateKind):
    """A gate with a reference: a one-sided test each way, or the bare numbers where the policy says ``test: point``."""

    @abstractmethod
    def meets(self, theta: float) -> bool:
        """Whether the bare statistic meets the need, where nothing is tested."""

    def compare(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
        """By the bare numbers or by the test, as the gate says."""
        if gate.test == "point":
            return self._point(gate, evidence)
        return self._tested(gate, evidence, level)

    def draw(self, gate: Gate, values: Mapping[str, Any]) -> Drawing | None:
        """On the scale of the gain: the margin is what theta leaves between the gain and zero."""
        if values.get("difference") is None:
            return None
        sign = gain_sign(gate)
        gain, theta = sign * values["difference"], values.get("theta")
        ends = [
            sign * values[k] for k in ("interval_low", "interval_high") if values.get(k) is not None
        ]
        both = len(ends) == 2
        return Drawing(
            point=gain,
            need=gain + theta if theta is not None else 0.0,
            low=min(ends) if both else None,
            high=max(ends) if both else None,
        )

    def _point(self, gate: Gate, evidence: GateEvidence) -> Outcome:
        if evidence.theta is None:
            what = f"{gate.metric} could not be compared"
            return self.outcome(gate, evidence, Result.ERROR, what)
        result = Result.PASS if self.meets(evidence.theta) else Result.FAIL
        return self.outcome(gate, evidence, result, against(gate, evidence))

    def _tested(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
        """A one-sided test each way: the need is met, its opposite is shown, or neither."""
        found = against(gate, evidence)
        if evidence.p_pass is None or evidence.theta is None:
            return self.outcome(gate, evidence, Result.INCONCLUSIVE, found)
        own = round(1.0 - gate.confidence, 12)
        alpha = own if level is None else min(own, level)
        if evidence.p_pass <= alpha:
            result = Result.PASS
        elif evidence.p_fail is not None and evidence.p_fail <= own:
            result = Result.FAIL
        else:
            result = Result.INCONCLUSIVE
        return outcome(gate, evidence, result, found, needed=self.need(gate), alpha=alpha)


def spans_the_range(gate: Gate, metric: Metric) -> str:
    """Says so where an absolute margin is no smaller than the whole range of the metric; else empty."""
    low, high = metric.lower_bound, metric.upper_bound
    if gate.margin.relative or low is None or high is None or gate.margin.value < high - low:
        return ""
    return f"{gate.metric} ranges from {low:g} to {high:g}"
