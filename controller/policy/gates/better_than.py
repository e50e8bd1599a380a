"""``better_than``: better than another model by more than the margin."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.keys import Key
from controller.domain.metrics import Metric
from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint
from controller.policy.gates.paired import PairedKind, spans_the_range
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

    def never_fails(self, gate: Gate, metric: Metric | None) -> str:  # noqa: ARG002 (whoever is worse)
        """Whoever is worse fails."""
        return ""

    def never_passes(self, gate: Gate, metric: Metric | None) -> str:
        """It would have to be better by more than the metric allows."""
        if metric is None:
            return ""
        asked = gate.margin
        if (
            asked.relative
            and asked.value >= 1
            and metric.lower_is_better
            and metric.lower_bound == 0
        ):
            return f"{gate.metric} cannot be better by {asked.value:.0%}"
        return spans_the_range(gate, metric)


KIND = BetterThan(
    comparison=Comparison.BETTER_THAN,
    keys=(
        Key("Better than this one, on the same rows, by more than chance.", "champion"),
        Key("The least improvement of `better_than`.", "2%", name="by"),
    ),
    flip=FlipPoint(setting="margin", key="by", beyond="above ", sign=1.0),
    improves=True,
)
