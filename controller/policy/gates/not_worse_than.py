"""``not_worse_than``: not worse than another model by more than the margin."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint, PolicyKey
from controller.policy.gates.paired import PairedKind
from controller.policy.phrase import margin


@dataclass(frozen=True, kw_only=True)
class NotWorseThan(PairedKind):
    """Not worse than this one by `margin`, on the same rows."""

    def need(self, gate: Gate) -> str:
        """``not worse by more than 3 %``, ``not worse at all``."""
        if not gate.margin.value:
            return "not worse at all"
        return f"not worse by more than {margin(gate.margin)}"

    def rests(self, *, improved: bool) -> bool:
        """Only where nothing has to be better."""
        return not improved

    def meets(self, theta: float) -> bool:
        """Equal is not worse."""
        return theta <= 0


NOT_WORSE_THAN = NotWorseThan(
    key="not_worse_than",
    comparison=Comparison.NOT_WORSE_THAN,
    keys=(
        PolicyKey(
            name="not_worse_than",
            type="reference",
            doc="Not worse than this one by `margin`, on the same rows.",
            example="champion",
        ),
        PolicyKey(
            name="margin",
            type="amount",
            doc="The largest loss that `not_worse_than` accepts.",
            example="3%",
            default="0",
        ),
    ),
    flip=FlipPoint(setting="margin", key="margin", beyond="below ", sign=-1.0),
    improves=False,
)
