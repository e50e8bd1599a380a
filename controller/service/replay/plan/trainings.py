"""Trainings that rules would have started: the recorded signals go through the trigger part, in simulated time.

A decision that flips is judged on the state of the old history, where signals had been used up by the old rules. To
count trainings the signals are therefore followed once through each side: pending where its triggers leave them,
used up where it trains, with its own cooldowns and limits. Exact as long as the history holds what the triggers
read; how long an added training would have run is not recorded, so it is counted with the shortest and with the
longest one that is, and the answer is a range where that matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from controller.domain.decisions import RulesRef, StartRun
from controller.domain.rules import Policy, Trigger
from controller.domain.runs import RunKind, RunState, RunView
from controller.domain.signals import TRAINING_CAUSES, Signal, SignalKind, SignalStatus
from controller.domain.snapshot import DataView, Snapshot
from controller.policy.context import DecisionContext
from controller.policy.reasons.train import train
from controller.policy.triggers import kind_of, measured_kinds
from controller.service.replay.plan.report import Range, Trainings
from controller.service.replay.simulate import in_order, play, schedule_fires

_NO_RULES = RulesRef(path="", blob="")
_DAY = timedelta(days=1)
_STEPS = 20


@dataclass(frozen=True, slots=True)
class RecordedArrival:
    """What came up at one recorded time: new signals, and the data and profiles that were there."""

    at: datetime
    signals: tuple[Signal, ...]
    data: DataView
    profiles: tuple[RunView, ...]


@dataclass(slots=True)
class ArrivalHistory:
    """Collects arrivals from snapshots, oldest first."""

    arrivals: list[RecordedArrival] = field(default_factory=list)
    recorded: int = 0
    durations: dict[str, timedelta] = field(default_factory=dict)
    last: datetime | None = None
    _newest: int = 0
    _seen: DataView | None = None

    def add(self, snapshot: Snapshot, at: datetime) -> None:
        """Take what is new in one snapshot."""
        self.last = at
        for run in snapshot.runs:
            if run.kind is RunKind.TRAIN and run.ended_at is not None:
                self.durations[run.id] = run.ended_at - run.ordered_at
        new = tuple(s for s in snapshot.signals if s.id > self._newest and _may_cause(s))
        self._newest = max([self._newest, *(s.id for s in snapshot.signals)])
        if new or snapshot.data != self._seen:
            self._seen = snapshot.data
            profiles = tuple(run for run in snapshot.runs if run.kind is RunKind.PROFILE)
            self.arrivals.append(RecordedArrival(at, new, snapshot.data, profiles))


def _may_cause(signal: Signal) -> bool:
    if signal.kind is SignalKind.RUN_FINISHED:
        return signal.payload.get("kind") in measured_kinds()
    return signal.kind in TRAINING_CAUSES


def count_trainings(history: ArrivalHistory, old: Policy, new: Policy) -> Trainings | None:
    """Both sides; None where the change touches neither triggers nor limits."""
    if starting_rules(old) == starting_rules(new) or not history.arrivals:
        return None
    return Trainings(
        recorded=history.recorded,
        old=_between(history, old),
        new=_between(history, new),
        unknown=tuple(unknown_causes(history, new, old)),
    )


def starting_rules(policy: Policy) -> object:
    """Everything that decides when a training starts, without the lines that it stands on."""
    triggers = tuple(replace(trigger, line=0) for trigger in policy.triggers)
    expect = tuple(replace(item, line=0) for item in policy.data.expect)
    resting = replace(policy.unimproving, line=0) if policy.unimproving else None
    return triggers, replace(policy.limits, line=0), expect, resting, policy.mode


def _between(history: ArrivalHistory, policy: Policy) -> Range:
    spans = history.durations.values()
    ends = {min(spans, default=timedelta(0)), max(spans, default=policy.train.timeout)}
    first = history.arrivals[0].at
    counts = [_Triggers(policy, span, first).count(history) for span in ends]
    return Range(least=min(counts), most=max(counts))


@dataclass(slots=True)
class _Triggers:
    """One side's triggers and limits. Every training takes ``span``."""

    policy: Policy
    span: timedelta
    now: datetime
    pending: dict[int, Signal] = field(default_factory=dict)
    runs: list[RunView] = field(default_factory=list)
    last_fired: dict[str, datetime] = field(default_factory=dict)
    data: DataView = field(default_factory=DataView)
    profiles: tuple[RunView, ...] = ()
    started: int = 0
    _asleep_until: datetime | None = None

    def count(self, history: ArrivalHistory) -> int:
        """How many trainings were started from the first arrival to the last recorded decision."""
        last = history.last or self.now
        arrivals = [(one.at, partial(self._arrive, one)) for one in history.arrivals]
        fires = (
            (at, partial(self._fire, number, trigger.name))
            for number, (at, trigger) in enumerate(schedule_fires(self.policy, self.now, last))
        )
        for _ in play(self, in_order(arrivals, fires), last):
            pass
        return self.started

    @property
    def wake_at(self) -> datetime | None:
        """When time alone may change the answer: a limit ends, or a training does."""
        if not self.pending:
            return None
        ends = [r.ended_at for r in self.runs if r.ended_at and not r.state.ended]
        return min((t for t in (self._asleep_until, *ends) if t is not None), default=None)

    def decide(self) -> None:
        """Start what the triggers ask for now."""
        self.runs = [_as_of(run, self.now) for run in self._relevant(self.now)]
        self._asleep_until = None
        for _ in range(_STEPS):
            if not self.pending or not self._look(self.now):
                return

    def _arrive(self, arrival: RecordedArrival) -> None:
        """Schedules follow from the calendar: recorded ones are left out."""
        self.data, self.profiles = arrival.data, arrival.profiles
        others = (s for s in arrival.signals if s.kind is not SignalKind.SCHEDULE)
        self.pending.update((s.id, s) for s in others)
        self._drop_quarantined(arrival)

    def _fire(self, number: int, trigger: str) -> None:
        identity = (1 << 40) + number
        self.pending[identity] = Signal(
            id=identity,
            key=f"{trigger}:{self.now.isoformat()}",
            model="",
            kind=SignalKind.SCHEDULE,
            occurred_at=self.now,
            received_at=self.now,
            payload={"due": self.now.isoformat()},
            trigger=trigger,
            status=SignalStatus.OPEN,
        )

    def _look(self, now: datetime) -> bool:
        """One look of the trigger part; whether it started a training."""
        finding = train(DecisionContext(self._snapshot(), self.policy, now))
        if finding is None:
            return False
        for answer in finding.answers:
            if answer.status.ended:
                self.pending.pop(answer.signal, None)
        wake = finding.wake_at
        self._asleep_until = wake if wake is not None and wake > now else None
        orders = [action for action in finding.actions if isinstance(action, StartRun)]
        for order in orders:
            self._start(order, now)
        return bool(orders)

    def _start(self, order: StartRun, now: datetime) -> None:
        self.started += 1
        self.last_fired |= {cause.trigger: now for cause in order.spec.causes}
        self.runs.append(
            RunView(
                id=order.run,
                number=order.number,
                kind=RunKind.TRAIN,
                state=RunState.RUNNING if self.span else RunState.DONE,
                recipe=order.spec.recipe,
                ordered_at=now,
                ended_at=now + self.span,
            )
        )

    def _relevant(self, now: datetime) -> list[RunView]:
        since = now - max(_DAY, self.policy.limits.cooldown)
        return [run for run in self.runs if run.ordered_at >= since or not run.state.ended]

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            model=self.policy.model,
            generation=0,
            next_version=1,
            next_run=self.started + 1,
            rules=_NO_RULES,
            signals=tuple(self.pending.values()),
            runs=(*self.runs, *self.profiles),
            data=self.data,
            last_fired=self.last_fired,
        )

    def _drop_quarantined(self, arrival: RecordedArrival) -> None:
        """Batches that broke their expectations train nothing, whatever the triggers say."""
        broken = {
            int(item["sequence"])
            for signal in arrival.signals
            for item in signal.payload.get("quarantine") or ()
            if isinstance(item, dict) and "sequence" in item
        }
        if broken and self.policy.data.expect:
            self.pending = {
                key: signal
                for key, signal in self.pending.items()
                if signal.payload.get("sequence") not in broken
            }


def _as_of(run: RunView, now: datetime) -> RunView:
    ended = run.ended_at is not None and run.ended_at <= now
    return replace(run, state=RunState.DONE) if ended and not run.state.ended else run


def unknown_causes(history: ArrivalHistory, new: Policy, old: Policy) -> Iterator[str]:
    """What the new triggers ask for and the history does not hold, a sentence each."""
    known = {trigger.name: replace(trigger, line=0) for trigger in old.triggers}
    for trigger in new.triggers:
        if known.get(trigger.name) == replace(trigger, line=0):
            continue
        found = _recorded(history, trigger)
        lack = kind_of(trigger).unrecorded(trigger, known.get(trigger.name), found)
        if lack:
            yield f"trigger '{trigger.name}': {lack}"
    if new.unimproving is not None:
        yield "`unimproving` may stretch the time between trainings by what they would have brought"
    if new.data.expect and not old.data.expect:
        yield "`data.expect` lets only checked data train, and nothing was checked then"


def _recorded(history: ArrivalHistory, trigger: Trigger) -> list[Mapping[str, Any]]:
    kind = kind_of(trigger)
    return [
        signal.payload
        for arrival in history.arrivals
        for signal in arrival.signals
        if kind.is_recorded(signal)
    ]
