"""``drift``: fires when new rows no longer look like the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from controller.domain.keys import Key, ReferenceWindow
from controller.domain.rules import Hold, Trigger
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.policy.triggers.distance import (
    DistanceKind,
    DistanceTrigger,
    distance_series,
    unmeasured,
)
from controller.policy.triggers.watched import HOLD

_TWO_OF_THREE = Hold(batches=2, of=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftTrigger(DistanceTrigger):
    """Fires when new rows no longer look like the reference."""

    kind: ClassVar[str] = "drift"
    hold: Annotated[Hold, replace(HOLD, example="2 of 3 batches")] = _TWO_OF_THREE
    reference: Annotated[
        str,
        ReferenceWindow(),
        Key(
            "What new rows are compared with: the champion's training rows, the batch before, the same days "
            "of the year before, or the rows of a window of time, its first day and the day after its last.",
            "same_season",
            last=True,
        ),
    ] = "training"

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
