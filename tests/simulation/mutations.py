"""Bugs on purpose: each takes one guard away. A simulation that does not find them cannot see.

Every one of them is a design that some system of this field has shipped, or a line that one might leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from controller.adapters.memory.decisions import MemoryDecisions
from controller.adapters.memory.models import MemoryModels
from controller.adapters.memory.registry import MemoryRegistry
from controller.adapters.memory.runs import MemoryRuns
from controller.adapters.memory.signals import MemorySignals
from controller.domain.canonical import format_time
from controller.domain.decisions import MoveVersion, SetChampion
from controller.domain.endings import ending_signal
from controller.domain.errors import Unavailable
from controller.domain.runs import Run, RunState
from controller.domain.signals import NewSignal, Signal, SignalKind
from controller.policy.decide import decide
from controller.ports import Accepted, Letter
from controller.service.deciding import apply as applying
from controller.service.deciding.engine import Engine
from controller.service.deciding.snapshots import take_snapshot
from controller.service.deciding.views import View
from controller.service.loops import fire_schedules as firing
from controller.service.loops.fire_schedules import FireSchedules, ScheduleReport
from controller.service.loops.leadership import LedStore
from controller.service.loops.relay_outbox import Relay
from controller.service.loops.rescue_runs import Rescuer, RescueReport
from controller.service.rules.next_due import definition, next_due


@dataclass(frozen=True)
class Mutation:
    """A guard that is taken away: what, and where."""

    name: str
    target: Any
    attribute: str
    replacement: Any
    first: int = 0
    """Where the test begins to look; a seed that is known to find it saves the time of those before."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The system with this bug."""
        with patch.object(self.target, self.attribute, self.replacement):
            yield


def _no_fence(self: MemoryRuns, run: str, fence: int) -> Run | None:
    del fence
    found = self._tables.runs.get(run)
    return found if found is not None and found.state is RunState.RUNNING else None


def _claim_whatever_is_rung(
    self: MemoryRuns, run: str, fence: int, *, worker: str, lease: Any
) -> Run | None:
    found = self._tables.runs.get(run)
    if found is None or found.state.ended:
        return None
    claimed = replace(
        found,
        state=RunState.RUNNING,
        fence=fence + 1,
        attempt=found.attempt + 1,
        worker=worker,
        lease_until=self._now + lease,
    )
    self._tables.runs[run] = claimed
    return claimed


def _finish_twice(self: MemoryRuns, run: str, fence: int, end: Any, *, at: datetime) -> bool:
    del fence
    found = self._tables.runs.get(run)
    if found is None:
        return False
    if found.state.ended:
        return True
    self._end(replace(found, result=dict(end.result)), end.state, end.reason, at, actor="worker")
    return True


def _finish_without_its_signal(
    self: MemoryRuns, run: str, fence: int, end: Any, *, at: datetime
) -> bool:
    found = self._running(run, fence)
    if found is None:
        return False
    ended = replace(found, state=end.state, result=dict(end.result), reason=end.reason, ended_at=at)
    self._put(replace(ended, lease_until=None))
    if at.second % 7:  # mostly the worker lives long enough to tell of it
        self._signals.append([ending_signal(ended, at, actor="worker")], at)
    return True


def _reclaim_without_a_new_fence(self: MemoryRuns, run: Run, at: datetime) -> Run:
    del at
    return self._put(replace(run, state=RunState.QUEUED, worker=None, lease_until=None))


def _reclaim_for_ever(self: MemoryRuns, run: Run, at: datetime) -> Run:
    del at
    return self._put(
        replace(run, state=RunState.QUEUED, fence=run.fence + 1, worker=None, lease_until=None)
    )


def _rescue_without_a_letter(self: Rescuer) -> RescueReport:
    with self._store.begin() as tx:
        tx.runs.reclaim(at=self._clock.now())
    return RescueReport()


def _append_without_key(self: MemorySignals, new: Any, at: datetime) -> Accepted:
    number = len(self._tables.signals) + 1
    self._tables.signals[number] = Signal(
        id=number,
        key=new.key,
        model=new.model,
        kind=new.kind,
        occurred_at=new.occurred_at,
        received_at=at,
        payload=dict(new.payload),
        trigger=new.trigger,
        actor=new.actor,
    )
    self._tables.waiting[new.model] = (*(self._tables.waiting.get(new.model) or ()), number)
    return Accepted(id=number, fresh=True)


def _mark_before_launch(self: Engine, model: str, view: View, now: datetime) -> bool:
    """ClearML's trigger scheduler: fired is written first, the launch follows, and may never come."""
    with self._store.begin() as tx:
        rules = self._may_decide(tx, model, view, now)
        if rules is None:
            return False
        snapshot = take_snapshot(tx, rules, self._policy(rules), now, view)
        decision = decide(snapshot, self._policy(rules), now)
        if not decision.changes:
            self._sleep_until(tx, model, decision.wake_at, now)
            return False
        marks = replace(decision, actions=())
        record = applying.apply_decision(tx, snapshot, replace(marks, reason=decision.reason))
        record = replace(record)
    with self._store.begin() as tx:
        for index, action in enumerate(decision.actions):
            applying._apply(action, applying._Context(tx, decision, record, index))
    return True


def _decide_in_two_transactions(self: Engine, model: str, view: View, now: datetime) -> bool:
    """The record is committed, then what it says is done."""
    with self._store.begin() as tx:
        rules = self._may_decide(tx, model, view, now)
        if rules is None:
            return False
        snapshot = take_snapshot(tx, rules, self._policy(rules), now, view)
        decision = decide(snapshot, self._policy(rules), now)
        if not decision.changes:
            self._sleep_until(tx, model, decision.wake_at, now)
            return False
        silent = replace(decision)
        with patch.object(applying, "_apply", lambda *_: None):
            record = applying.apply_decision(tx, snapshot, silent)
    with self._store.begin() as tx:
        for index, action in enumerate(decision.actions):
            applying._apply(action, applying._Context(tx, decision, record, index))
    return True


def _decide_on_an_old_snapshot(self: Engine, model: str, view: View, now: datetime) -> bool:
    """Read, let go, decide, write: without compare-and-set the later writer wins."""
    with self._store.begin() as tx:
        rules = self._may_decide(tx, model, view, now)
        if rules is None:
            return False
        policy = self._policy(rules)
        snapshot = take_snapshot(tx, rules, policy, now, view)
    decision = decide(snapshot, policy, now)
    with (
        patch.object(MemoryRegistry, "seat", _seat_without_comparing),
        patch.object(MemoryRegistry, "move", _move_without_checking),
        patch.object(MemorySignals, "_answer", _answer_last),
        self._store.begin() as tx,
    ):
        if decision.changes:
            applying.apply_decision(tx, snapshot, decision)
        self._sleep_until(tx, model, decision.wake_at, now)
    return decision.changes


def _answer_last(self: MemorySignals, answer: Any, decision: int) -> None:
    signal = self._tables.signals[answer.signal]
    self._tables.signals[answer.signal] = replace(
        signal, status=answer.status, reason=answer.reason, decision=decision
    )
    if answer.status.ended:
        left = tuple(n for n in self._tables.waiting[signal.model] if n != signal.id)
        self._tables.waiting[signal.model] = left


def _seat_without_comparing(
    self: MemoryRegistry, model: str, action: SetChampion, *, decision: int, at: datetime
) -> int:
    state = self._models.state(model)
    return _seat(
        self,
        model,
        replace(action, generation=state.generation, previous=state.champion),
        decision=decision,
        at=at,
    )


_seat = MemoryRegistry.seat


def _move_without_checking(
    self: MemoryRegistry,
    model: str,
    action: MoveVersion,
    *,
    decision: int,
    at: datetime,
    actor: str,
) -> None:
    version = self._get(model, action.version)
    self._change(version, action.after, decision=decision, at=at, actor=actor, reason=action.reason)


def _settle_before_ringing(self: Relay, letter: Letter, run: Run) -> bool:
    """The letter is marked as sent, then it is sent, or not."""
    self._settle(letter)
    with suppress(Unavailable):
        self._dispatcher.ring(run.id, run.fence, queue="default", expires=self._config.resend)
    return True


def _believe_the_broker(self: Relay, letter: Letter, run: Run) -> bool:
    """It took the message, so somebody will hear it."""
    try:
        self._dispatcher.ring(run.id, run.fence, queue="default", expires=self._config.resend)
    except Unavailable:
        return False
    self._settle(letter)
    return True


def _answer_again(self: MemorySignals, answers: Any, decision: int) -> None:
    for answer in answers:
        signal = self._tables.signals[answer.signal]
        self._tables.signals[answer.signal] = replace(
            signal, status=answer.status, reason=answer.reason, decision=decision
        )
        # an ended signal stays among those that wait


def _record_without_chain(self: MemoryDecisions, decision: Any) -> Any:
    record = _record(self, decision)
    broken = replace(record, prev_hash="0" * 64)
    self._tables.decisions[record.id] = broken
    return broken


_record = MemoryDecisions.record


def _apply_nothing_of_the_seat(action: Any, context: Any) -> None:
    """Free the seat now, take it with the next tick."""
    if isinstance(action, SetChampion):
        context.tx.models.update(context.model, wake_at=context.at)
        return
    _applied(action, context)


_applied = applying._apply


def _order_run_numbers_again(self: MemoryModels, state: Any) -> None:
    """The counter of runs is kept in the process, not in the row."""
    kept = self._tables.models.get(state.model)
    if kept is not None and state.next_run > 1 and state.next_run % 5 == 0:
        state = replace(state, next_run=kept.next_run)
    self._tables.models[state.model] = state


@contextmanager
def _lease_without_fencing(self: LedStore) -> Iterator[Any]:
    """Whoever has won the lead once writes as long as he believes in it."""
    with self._store.begin() as tx:
        yield tx


def _plan_before_firing(
    self: FireSchedules, model: str, triggers: Any, now: datetime
) -> ScheduleReport:
    """The next due time is written first, then the signal, in a transaction of its own."""
    report = ScheduleReport()
    signals: list[Any] = []
    with self._store.begin() as tx, patch.object(MemorySignals, "append", _keep_for_later(signals)):
        tx.schedules.forget(model, [trigger.name for trigger in triggers])
        for trigger in triggers:
            firing._fire(tx, model, trigger, now, self._inbox)
    with self._store.begin() as tx:
        tx.signals.append(signals, now)
    return report


def _keep_for_later(signals: list[Any]) -> Any:
    def append(self: MemorySignals, new: Any, at: datetime) -> list[Accepted]:
        del self, at
        signals.extend(new)
        return [Accepted(id=0, fresh=True) for _ in new]

    return append


def _fire_what_was_planned(
    tx: Any, model: str, trigger: Any, now: datetime, limit: int
) -> ScheduleReport:
    """It is due: fire, under a name of its own, and plan the next from now."""
    del limit
    known = tx.schedules.next_due(model, trigger.name)
    if known is not None and known[0] > now:
        return ScheduleReport()
    following = next_due(trigger, now)
    tx.schedules.set_next(model, trigger.name, following, definition(trigger))
    if known is None:
        return ScheduleReport(planned=1)
    signal = NewSignal(
        key=f"{trigger.name}:{now}:{tx.signals.count_waiting()}",
        model=model,
        kind=SignalKind.SCHEDULE,
        occurred_at=known[0],
        payload={"due": format_time(known[0])},
        trigger=trigger.name,
    )
    tx.signals.append([signal, replace(signal, key=f"{signal.key}:again")], now)
    return ScheduleReport(fired=2)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("no fence on a worker's writes", MemoryRuns, "_running", _no_fence),
    Mutation("claim whatever is rung for", MemoryRuns, "claim", _claim_whatever_is_rung),
    Mutation("a result counts twice", MemoryRuns, "finish", _finish_twice),
    Mutation(
        "the end of a run without its signal", MemoryRuns, "finish", _finish_without_its_signal
    ),
    Mutation("reclaim without a new fence", MemoryRuns, "_reclaim", _reclaim_without_a_new_fence),
    Mutation("reclaim for ever", MemoryRuns, "_reclaim", _reclaim_for_ever),
    Mutation("reclaim without a new letter", Rescuer, "run_once", _rescue_without_a_letter),
    Mutation("signals without keys", MemorySignals, "_append", _append_without_key),
    Mutation("mark before launch", Engine, "_decide_once", _mark_before_launch),
    Mutation("decide in two transactions", Engine, "_decide_once", _decide_in_two_transactions),
    Mutation("no compare-and-set", Engine, "_decide_once", _decide_on_an_old_snapshot, first=322),
    Mutation("settle before ringing", Relay, "_ring", _settle_before_ringing),
    Mutation("believe the broker", Relay, "_ring", _believe_the_broker),
    Mutation("an answer is not final", MemorySignals, "answer", _answer_again),
    Mutation("no hash of the record before", MemoryDecisions, "record", _record_without_chain),
    Mutation("free the seat, take it later", applying, "_apply", _apply_nothing_of_the_seat),
    Mutation("run numbers are used again", MemoryModels, "replace", _order_run_numbers_again),
    Mutation("a lead without fencing", LedStore, "begin", _lease_without_fencing),
    Mutation("plan the next time before firing", FireSchedules, "_work", _plan_before_firing),
    Mutation("a plan from beyond is believed", firing, "_beyond", lambda *_: False),
    Mutation("a due time without a key", firing, "_fire", _fire_what_was_planned),
)
