"""``drift``: fires when new rows no longer look like the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from controller.domain.rules import Trigger
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.policy.keys import PolicyKey
from controller.policy.triggers.distance import (
    DISTANCES,
    DistanceKind,
    DistanceTrigger,
    distance_keys,
    distance_series,
    unmeasured,
)
from controller.policy.triggers.watched import HELD


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftTrigger(DistanceTrigger):
    """Fires when a distance between reference and current profile stays above a threshold.

    ``reference`` is ``training``, ``previous``, ``same_season``, or a window of time as ``2013-01-01/2013-02-01``.
    """

    kind: ClassVar[str] = "drift"
    reference: str = "training"

    @property
    def reference_window(self) -> str:
        return self.reference


@dataclass(frozen=True, kw_only=True)
class DriftKind(DistanceKind[DriftTrigger]):
    """Reads finished profiles, and drift signals that somebody sent."""

    def unrecorded(
        self, trigger: DriftTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        if not found:
            return f"no {self.key} signal was recorded"
        if isinstance(before, DriftTrigger) and before.reference != trigger.reference:
            return f"drift was measured against another reference than {trigger.reference}"
        return unmeasured(trigger, found)

    def is_recorded(self, signal: Signal) -> bool:
        """A finished profile is a reading too."""
        return signal.kind in {self.signal, SignalKind.RUN_FINISHED}


DRIFT = DriftKind(
    key="drift",
    doc="Fires when new rows no longer look like the reference.",
    keys=(
        *distance_keys(DISTANCES),
        replace(HELD[0], example="2 of 3 batches", default="2 of 3 batches"),
        HELD[1],
        PolicyKey(
            name="reference",
            type="reference_window",
            doc="What new rows are compared with: the champion's training rows, the batch before, the same days "
            "of the year before, or the rows of a window of time, its first day and the day after its last.",
            example="same_season",
            default="training",
        ),
    ),
    example="{metric: psi, above: 0.2}",
    event="{}",
    series=distance_series("drift"),
    value=DriftTrigger,
    signal=SignalKind.DRIFT,
    measured_by=RunKind.PROFILE,
    unasked="the new data are as expected",
    lints=("trigger-never-or-always",),
    is_sendable=True,
)
