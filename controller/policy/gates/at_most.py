"""``at_most``: the metric's value is no higher than a number."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.keys import Key
from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint
from controller.policy.gates.threshold import ThresholdKind
from controller.policy.phrase import format_number


@dataclass(frozen=True, kw_only=True)
class AtMost(ThresholdKind):
    """A value no higher than this."""

    def need(self, gate: Gate) -> str:
        """``at most 20``."""
        return f"at most {format_number(gate.threshold)}"

    def met(self, value: float, threshold: float) -> bool:
        """The threshold itself is good enough."""
        return value <= threshold


KIND = AtMost(
    comparison=Comparison.AT_MOST,
    keys=(Key("A value no higher than this.", "20"),),
    flip=FlipPoint(setting="threshold", key="at_most", beyond="below ", sign=-1.0),
    improves=False,
)
