"""The stage of a rule test: a store, a clock that only the test moves, and workers that bring what it says.

Nothing is imitated: signals go into the inbox, the snapshot is the engine's, ``decide`` decides, and its decision is
applied as the engine applies it. Only the workers' results are written by the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from controller.domain.canonical import digest, to_plain
from controller.domain.decisions import Decision, RegisterVersion, RulesRef, SetChampion
from controller.domain.rules import Policy
from controller.domain.runs import Run, RunKind, RunState
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.snapshot import HoldView
from controller.domain.versions import VersionState
from controller.policy.decide import decide
from controller.policy.triggers import ScheduleTrigger
from controller.ports import (
    ActiveRules,
    Batch,
    Clock,
    NewDecision,
    Query,
    RunEnd,
    Store,
    Transaction,
)
from controller.rulefmt.testcases import RuleTest, RuleTestCandidate, RuleTestEvent
from controller.service.apply import apply_decision
from controller.service.ruletests.evidence import evaluation_of
from controller.service.snapshots import take_snapshot

OpenStore = Callable[[Clock], Store]
_MOST_DECISIONS = 100
_LEASE = timedelta(days=36_500)
_QUEUED = (RunState.QUEUED.value,)


@dataclass(slots=True)
class StageClock:
    """Stands still until the test moves it."""

    moment: datetime

    def now(self) -> datetime:
        """The simulated present."""
        return self.moment


@dataclass(slots=True)
class Work:
    """A training that is under way, until ``due``."""

    due: datetime
    run: Run
    candidate: RuleTestCandidate


@dataclass(slots=True)
class RuleTestStage:
    """One policy's world during one test. ``seen`` holds every decision with its time, no-ops too."""

    policy: Policy
    test: RuleTest
    start: datetime
    open_store: OpenStore
    clock: StageClock = field(init=False)
    store: Store = field(init=False)
    rules: ActiveRules = field(init=False)
    waiting: list[RuleTestCandidate] = field(init=False)
    brought: dict[str, RuleTestCandidate] = field(default_factory=dict)
    work: list[Work] = field(default_factory=list)
    seen: list[tuple[datetime, Decision]] = field(default_factory=list)
    wake_at: datetime | None = None
    sent: int = 0

    def __post_init__(self) -> None:
        self.clock = StageClock(self.start)
        self.store = self.open_store(self.clock)
        ref = RulesRef(path="policy", blob="0" * 40)
        self.rules = ActiveRules(model=self.policy.model, ref=ref, text="", activated_at=self.start)
        self.waiting = list(self.test.candidates)
        with self.store.begin() as tx:
            tx.rules.activate(self.rules)
            self._set_the_scene(tx)

    def _set_the_scene(self, tx: Transaction) -> None:
        given, model = self.test.given, self.policy.model
        if given.rows:
            tx.data.add(model, [_batch("given", given.rows)], self.start)
        if given.hold:
            hold = HoldView(reason=given.hold, actor="person:given", since=self.start)
            tx.models.update(model, hold=hold)
        if not given.champion:
            return
        first = tx.decisions.record(
            NewDecision(
                model=model,
                decided_at=self.start,
                rules=self.rules.ref,
                snapshot="{}",
                decision="{}",
            )
        )
        version = RegisterVersion(
            version=1,
            run=f"{model}.given",
            digest=_digest("given"),
            recipe=self.policy.train.recipes[0].name,
        )
        seat = SetChampion(version=1, generation=0, previous=None, reason="given by the test")
        tx.registry.register(model, version, decision=first.id, at=self.start)
        tx.registry.seat(model, seat, decision=first.id, at=self.start)
        tx.registry.mark_verified(model, 1, decision=first.id, at=self.start)

    def fire(self, trigger: ScheduleTrigger) -> None:
        """A schedule is due now."""
        due = self.clock.moment.isoformat()
        self.send(
            RuleTestEvent(
                at=timedelta(0),
                kind="schedule",
                payload={"due": due},
                trigger=trigger.name,
            )
        )

    def send(self, event: RuleTestEvent) -> None:
        """A signal arrives now."""
        model, now = self.policy.model, self.clock.moment
        self.sent += 1
        with self.store.begin() as tx:
            payload = self._completed(tx, event)
            if event.kind == "new_data":
                batch = _batch(f"{self.sent}", int(payload.get("rows") or 0))
                tx.data.add(model, [batch], now)
            signal = NewSignal(
                key=f"test:{self.sent}",
                model=model,
                kind=SignalKind(event.kind),
                occurred_at=now,
                payload=payload,
                trigger=event.trigger,
                actor=event.actor,
            )
            tx.signals.append([signal], now)

    def _completed(self, tx: Transaction, event: RuleTestEvent) -> dict[str, Any]:
        """What a person would not type: the waiting challenger, and the evidence that was seen."""
        payload = dict(event.payload)
        if event.kind == SignalKind.FOREIGN_MOVE.value:
            return {"found": payload.get("version"), "may_adopt": True, **payload}
        if event.kind not in {"approval", "promote", "reject"}:
            return payload
        if "version" not in payload:
            waits = (VersionState.CHALLENGER, VersionState.CANDIDATE)
            found = tx.registry.versions(self.policy.model, states=waits, limit=1)
            payload["version"] = found[0].number if found else 0
        if event.kind == "approval" and "evidence" not in payload:
            evaluation = tx.registry.evaluations(self.policy.model).get(payload["version"])
            payload["evidence"] = digest(evaluation) if evaluation else ""
        return payload

    def decide_until_idle(self) -> None:
        """Decide, and let workers bring what is due, until nothing changes any more at this time."""
        for _ in range(_MOST_DECISIONS):
            decided = self._decide()
            if not (self._serve() or decided):
                return

    def _decide(self) -> bool:
        now = self.clock.moment
        with self.store.begin() as tx:
            snapshot = take_snapshot(tx, self.rules, self.policy, now)
            decision = decide(snapshot, self.policy, now)
            if decision.changes:
                apply_decision(tx, snapshot, decision)
        self.seen.append((now, decision))
        self.wake_at = decision.wake_at
        return decision.changes

    def _serve(self) -> bool:
        """Claim what was ordered, report what is due; whether anything happened."""
        now, busy = self.clock.moment, False
        with self.store.begin() as tx:
            for ordered in reversed(
                tx.runs.find(Query(model=self.policy.model, states=_QUEUED, limit=1000))
            ):
                run = tx.runs.claim(ordered.id, ordered.fence, worker="test", lease=_LEASE)
                if run is not None:
                    busy = self._take_up(tx, run) or busy
            for work in [w for w in self.work if w.due <= now]:
                self.work.remove(work)
                self._report(tx, work)
                busy = True
        return busy

    def _take_up(self, tx: Transaction, run: Run) -> bool:
        if run.spec.kind is RunKind.TRAIN:
            if self.waiting:
                candidate = self.waiting.pop(0)
                self.work.append(Work(self.clock.moment + candidate.takes, run, candidate))
            return False
        trained = self._training_of(tx, run)
        candidate = self.brought.get(trained, RuleTestCandidate())
        result: dict[str, Any] = {}
        if run.spec.kind is RunKind.EVALUATE:
            result["evaluation"] = to_plain(evaluation_of(candidate, run))
        end = RunEnd(state=RunState.DONE, result=result)
        return tx.runs.finish(run.id, run.fence, end, at=self.clock.moment)

    def _training_of(self, tx: Transaction, run: Run) -> str:
        found = tx.registry.versions(self.policy.model, numbers=[run.spec.version or 0])
        return found[0].run if found else ""

    def _report(self, tx: Transaction, work: Work) -> None:
        run, candidate = work.run, work.candidate
        end = RunEnd(state=RunState.FAILED, reason=candidate.fails)
        if not candidate.fails:
            self.brought[run.id] = candidate
            result = {
                "digest": _digest(run.id),
                "size": 1,
                "recipe": run.spec.recipe,
                "data_through": run.spec.data_through,
                "metrics": {},
            }
            end = RunEnd(state=RunState.DONE, result=result)
        tx.runs.finish(run.id, run.fence, end, at=self.clock.moment)

    def champion(self) -> int | None:
        """The version in the seat."""
        with self.store.read() as tx:
            return tx.models.state(self.policy.model).champion


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _batch(name: str, rows: int) -> Batch:
    return Batch(uri=f"test:{name}", digest=_digest(name), size=rows, rows=rows)
