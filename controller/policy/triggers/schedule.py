"""``schedule``: fires at times. When it is due is computed by the service, which sends its signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from controller.domain.decisions import Result
from controller.domain.keys import Cron, Key, Section, TimeZone
from controller.domain.rules import Policy, Trigger
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.triggers.base import TriggerKind, TriggerVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleTrigger(Trigger):
    """Fires at times. After a downtime it catches up once."""

    section: ClassVar[Section] = Section(
        "triggers[].schedule", one_of=("cron", "every"), only_with={"timezone": ("cron",)}
    )
    kind: ClassVar[str] = "schedule"
    cron: Annotated[
        str | None,
        Cron(),
        Key("Minute, hour, day of month, month, weekday (0 and 7 are Sunday).", '"0 3 * * 1"'),
    ] = None
    every: Annotated[timedelta | None, Key("An interval instead of a cron line.", "6h")] = None
    timezone: Annotated[
        str, TimeZone(), Key("Whose wall clock the cron line means.", "Europe/Berlin")
    ] = "UTC"


@dataclass(frozen=True, kw_only=True)
class ScheduleKind(TriggerKind[ScheduleTrigger]):
    """Every due time is a signal, and one is enough."""

    def evaluate(
        self, context: DecisionContext, trigger: ScheduleTrigger, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        del context
        due = [str(s.payload.get("due", "")) for s in signals]
        return TriggerVerdict(
            trigger=trigger.name,
            result=Result.FIRING if signals else Result.INACTIVE,
            sentence=f"due at {due[-1]}" if due else "not due",
            signals=signals,
            values={"due": due},
            line=trigger.line or None,
        )

    def unrecorded(
        self, trigger: ScheduleTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """Nothing is: its fires follow from the calendar."""
        del trigger, before, found
        return None


SCHEDULE = ScheduleKind(
    key="schedule",
    example='{cron: "0 3 * * 1"}',
    event=None,
    series=None,
    value=ScheduleTrigger,
    signal=SignalKind.SCHEDULE,
    lints=("cooldown-outlasts-schedule",),
    is_sendable=False,
)


def schedules(policy: Policy) -> list[ScheduleTrigger]:
    """The triggers whose fires follow from the calendar."""
    return [trigger for trigger in policy.triggers if isinstance(trigger, ScheduleTrigger)]
