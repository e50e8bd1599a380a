"""Fires schedules: what is due lives in the database, so that a restart catches up once and nothing fires twice.

A due time, its signal and the next due time are one transaction; the signal's key names the due time, so two
controllers cannot fire it twice. When several due times passed unseen, the latest fires and says how many it stands
for. A changed definition is counted anew from now; so is a trigger that is seen for the first time, and one whose
next due time lies beyond the first that the definition gives: a clock that was ahead has planned it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.crashpoints import reach
from controller.domain.canonical import format_time
from controller.domain.signals import NewSignal, SignalKind
from controller.policy.triggers import ScheduleTrigger, schedules
from controller.ports import Clock, Store, Transaction
from controller.service.deciding.backpressure import INBOX
from controller.service.rules.active import ActivePolicies, Parse
from controller.service.rules.next_due import catch_up, definition, next_due

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleReport:
    """What one look did. ``missed`` due times had passed unseen and are lost in a later one that fired."""

    fired: int = 0
    missed: int = 0
    planned: int = 0


class FireSchedules:
    """Looks at every schedule of every policy in force."""

    def __init__(self, store: Store, clock: Clock, parse: Parse, inbox: int = INBOX) -> None:
        self._store = store
        self._clock = clock
        self._inbox = inbox
        self._policies = ActivePolicies(store, parse)
        self._scheduled: frozenset[str] = frozenset()
        self._next: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    def run_once(self) -> ScheduleReport:
        """Fire what is due now."""
        now = self._clock.now()
        in_force = self._policies.read()
        fired = missed = planned = 0
        for item in in_force:
            triggers = schedules(item.policy)
            if not triggers and item.model not in self._scheduled:
                continue
            if not triggers or self._has_work(item.model, triggers, now):
                report = self._work(item.model, triggers, now)
                fired += report.fired
                missed += report.missed
                planned += report.planned
        self._scheduled = frozenset(item.model for item in in_force if schedules(item.policy))
        return ScheduleReport(fired=fired, missed=missed, planned=planned)

    def _has_work(self, model: str, triggers: Sequence[ScheduleTrigger], now: datetime) -> bool:
        """Read first: most looks find nothing due, and a look should block no writer."""
        if model not in self._scheduled:
            return True
        with self._store.read() as tx:
            held = [(tx.schedules.next_due(model, t.name), t) for t in triggers]
        return any(known is None or self._stale(model, known, t, now) for known, t in held)

    def _stale(
        self, model: str, known: tuple[datetime, str], trigger: ScheduleTrigger, now: datetime
    ) -> bool:
        due, meaning = known
        if due <= now or meaning != definition(trigger):
            return True
        # What was the next due time once is the next one until it comes, unless the clock goes back.
        seen = self._next.get((model, trigger.name))
        if seen is not None and seen[1] == due and seen[0] <= now:
            return False
        beyond = _beyond(due, trigger, now)
        if not beyond:  # what must be planned anew is looked at until that has been committed
            self._next[model, trigger.name] = (now, due)
        return beyond

    def _work(
        self, model: str, triggers: Sequence[ScheduleTrigger], now: datetime
    ) -> ScheduleReport:
        with self._store.begin() as tx:
            tx.schedules.forget(model, [trigger.name for trigger in triggers])
            reports = [_fire(tx, model, trigger, now, self._inbox) for trigger in triggers]
            fired = sum(report.fired for report in reports)
            if fired:
                reach("schedule-written")
        if fired:
            reach("schedule-fired")
        return ScheduleReport(
            fired=fired,
            missed=sum(report.missed for report in reports),
            planned=sum(report.planned for report in reports),
        )


def _beyond(due: datetime, trigger: ScheduleTrigger, now: datetime) -> bool:
    """A clock that was ahead has planned it, and what is due before must not wait. What has fired keeps its key."""
    return due > now and due > next_due(trigger, now)


def _fire(
    tx: Transaction, model: str, trigger: ScheduleTrigger, now: datetime, limit: int
) -> ScheduleReport:
    known = tx.schedules.next_due(model, trigger.name)
    meaning = definition(trigger)
    if known is None or known[1] != meaning or _beyond(known[0], trigger, now):
        tx.schedules.set_next(model, trigger.name, next_due(trigger, now), meaning)
        return ScheduleReport(planned=1)
    if known[0] > now:
        return ScheduleReport()
    if tx.signals.count_waiting(model) >= limit:
        log.warning(
            "%s is due and waits: the inbox is full",
            trigger.name,
            extra={"action": "full", "model": model},
        )
        return ScheduleReport()
    caught = catch_up(trigger, known[0], now)
    due = format_time(caught.due)
    signal = NewSignal(
        key=f"schedule:{model}:{trigger.name}:{due}",
        model=model,
        kind=SignalKind.SCHEDULE,
        occurred_at=caught.due,
        payload={"due": due, "missed": caught.missed},
        trigger=trigger.name,
    )
    [accepted] = tx.signals.append([signal], now)
    tx.schedules.set_next(model, trigger.name, caught.following, meaning)
    log.info(
        "%s fires for %s",
        trigger.name,
        due,
        extra={"action": "schedule", "model": model, "missed": caught.missed},
    )
    return ScheduleReport(fired=int(accepted.fresh), missed=caught.missed)
