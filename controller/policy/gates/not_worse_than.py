"""``not_worse_than``: not worse than another model by more than the margin."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.keys import Key
from controller.domain.metrics import Metric
from controller.domain.rules import Comparison, Gate
from controller.policy.gates.base import FlipPoint
from controller.policy.gates.paired import PairedKind, spans_the_range
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

    def never_fails(self, gate: Gate, metric: Metric | None) -> str:
        """It accepts the largest loss that there is."""
        if metric is None:
            return ""
        slack = gate.margin
        if (
            slack.relative
            and slack.value >= 1
            and metric.lower_bound == 0
            and not metric.lower_is_better
        ):
            return f"{gate.metric} is never worse by {slack.value:.0%} or more"
        return spans_the_range(gate, metric)

    def never_passes(self, gate: Gate, metric: Metric | None) -> str:  # noqa: ARG002 (whatever it is)
        """No test shows that a difference is nothing."""
        if gate.margin.value or gate.test == "point":
            return ""
        return "no finite number of rows shows a difference of at most nothing; give a `margin`"


KIND = NotWorseThan(
    comparison=Comparison.NOT_WORSE_THAN,
    keys=(
        Key("Not worse than this one by `margin`, on the same rows.", "champion"),
        Key("The largest loss that `not_worse_than` accepts.", "3%", name="margin"),
    ),
    flip=FlipPoint(setting="margin", key="margin", beyond="below ", sign=-1.0),
    improves=False,
)
