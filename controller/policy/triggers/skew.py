"""``skew``: fires when the rows that are served no longer look like the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from controller.domain.drift import DriftMetric
from controller.domain.keys import Choice
from controller.domain.rules import Trigger
from controller.domain.runs import RunKind
from controller.domain.signals import SignalKind
from controller.policy.triggers.distance import (
    DISTANCE,
    DISTANCES,
    DistanceKind,
    DistanceTrigger,
    distance_series,
    unmeasured,
)

MISMATCH_METRIC = "mismatch_rate"
"""The share of rows whose logged feature is not the one that the data give for the same key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkewTrigger(DistanceTrigger):
    """Fires when the rows that are served (`data.served`) no longer look like the training rows."""

    kind: ClassVar[str] = "skew"
    metric: Annotated[str, Choice((*DISTANCES, MISMATCH_METRIC)), DISTANCE] = DriftMetric.PSI.value


@dataclass(frozen=True, kw_only=True)
class SkewKind(DistanceKind[SkewTrigger]):
    """Reads finished runs over the serving log, and skew signals that somebody sent."""

    def unrecorded(
        self, trigger: SkewTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        del before
        return unmeasured(trigger, found) if found else f"no {self.key} signal was recorded"


SKEW = SkewKind(
    key="skew",
    example="{metric: jensen_shannon, above: 0.1}",
    event="{}",
    series=distance_series("skew"),
    value=SkewTrigger,
    signal=SignalKind.SKEW,
    measured_by=RunKind.SKEW,
    unasked="what is served is as it was trained on",
    lints=("trigger-never-or-always", "nobody-measures"),
    is_sendable=True,
)
