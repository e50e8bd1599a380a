"""``at_least``: the metric's value is no lower than a number."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.keys import Key
from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint
from controller.policy.gates.threshold import ThresholdKind
from controller.policy.phrase import format_number


@dataclass(frozen=True, kw_only=True)
class AtLeast(ThresholdKind):
    """A value no lower than this."""

    def need(self, gate: Gate) -> str:
        """``at least 0.8``."""
        return f"at least {format_number(gate.threshold)}"

    def met(self, value: float, threshold: float) -> bool:
        """The threshold itself is good enough."""
        return value >= threshold


KIND = AtLeast(
    comparison=Comparison.AT_LEAST,
    keys=(Key("A value no lower than this.", "0.8"),),
    flip=FlipPoint(setting="threshold", key="at_least", beyond="above ", sign=1.0),
    improves=False,
)
