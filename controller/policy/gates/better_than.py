"""``better_than``: better than another model by more than the margin."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint, PolicyKey
from controller.policy.gates.paired import PairedKind
from controller.policy.phrase import margin


@dataclass(frozen=True, kw_only=True)
class BetterThan(PairedKind):
    """Better than this one, on the same rows, by more than chance."""

    def need(self, gate: Gate) -> str:
        """``better by 2 %``, ``better at all``."""
        return f"better by {margin(gate.margin)}" if gate.margin.value else "better at all"

    def rests(self, *, improved: bool) -> bool:  # noqa: ARG002 (always)
        """Always: a pass by luck is a false promotion."""
        return True

    def meets(self, theta: float) -> bool:
        """Equal is not better."""
        return theta < 0


BETTER_THAN = BetterThan(
    key="better_than",
    comparison=Comparison.BETTER_THAN,
    keys=(
        PolicyKey(
            name="better_than",
            type="reference",
            doc="Better than this one, on the same rows, by more than chance.",
            example="champion",
        ),
        PolicyKey(
            name="by",
            type="amount",
            doc="The least improvement of `better_than`.",
            example="2%",
            default="0",
        ),
    ),
    flip=FlipPoint(setting="margin", key="by", beyond="above ", sign=1.0),
    improves=True,
)
