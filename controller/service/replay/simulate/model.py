"""A model that is simulated: a store, a clock that only the simulation moves, and workers that bring what it says.

Nothing here is imitated: signals go into the inbox, the snapshot is the engine's, ``decide`` decides, and its decision
is applied as the engine applies it. Only the results of workers are given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from controller.domain.canonical import to_plain
from controller.domain.decisions import Decision, RegisterVersion, RulesRef, SetChampion
from controller.domain.rules import Policy
from controller.domain.run_kinds import run_work
from controller.domain.runs import Run, RunState
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
from controller.rulefmt.testcandidates import RuleTestCandidate
from controller.rulefmt.testcases import Given, RuleTestEvent
from controller.service.deciding.apply import apply_decision
from controller.service.deciding.snapshots import take_snapshot
from controller.service.replay.simulate.candidates import evaluation_of

OpenStore = Callable[[Clock], Store]
_MOST_DECISIONS = 100
_LEASE = timedelta(days=36_500)
_QUEUED = (RunState.QUEUED.value,)

NextCandidate = Callable[[], RuleTestCandidate | None]
"""What a training that starts now will bring; None: nobody knows, and it brings nothing."""


@dataclass(slots=True)
class _Work:
    """A training that is under way, until ``due``."""

    due: datetime
    run: Run
    candidate: RuleTestCandidate


@dataclass(frozen=True, slots=True)
class _Clock:
    """The clock of the model's store."""

    model: SimulatedModel

    def now(self) -> datetime:
        return self.model.now


@dataclass(slots=True)
class SimulatedModel:
    """One policy's model, from ``now`` on. ``seen`` holds every decision with its time, no-ops too.

    ``given`` is the state at the start; ``served`` counts the trainings that a candidate was there for.
    """

    policy: Policy
    now: datetime
    given: Given
    next_candidate: NextCandidate
    open_store: InitVar[OpenStore]
    served: int = 0
    seen: list[tuple[datetime, Decision]] = field(default_factory=list)
    _store: Store = field(init=False)
    _rules: ActiveRules = field(init=False)
    _brought: dict[str, RuleTestCandidate] = field(default_factory=dict)
    _work: list[_Work] = field(default_factory=list)
    _asleep_until: datetime | None = None
    _sent: int = 0

    def __post_init__(self, open_store: OpenStore) -> None:
        self._store = open_store(_Clock(self))
        ref = RulesRef(path="policy", blob="0" * 40)
        self._rules = ActiveRules(model=self.policy.model, ref=ref, text="", activated_at=self.now)
        with self._store.begin() as tx:
            tx.rules.activate(self._rules)
            self._set_the_scene(tx)

    @property
    def champion(self) -> int | None:
        """The version in the seat."""
        with self._store.read() as tx:
            return tx.models.state(self.policy.model).champion

    @property
    def wake_at(self) -> datetime | None:
        """When a training ends, or what was decided last wants to look again."""
        times = [work.due for work in self._work]
        if self._asleep_until is not None and self._asleep_until > self.now:
            times.append(self._asleep_until)
        return min(times, default=None)

    def _set_the_scene(self, tx: Transaction) -> None:
        given, model = self.given, self.policy.model
        if given.rows:
            tx.data.add(model, [_batch("given", given.rows)], self.now)
        if given.hold:
            hold = HoldView(reason=given.hold, actor="person:given", since=self.now)
            tx.models.update(model, hold=hold)
        if not given.champion:
            return
        first = tx.decisions.record(
            NewDecision(
                model=model,
                decided_at=self.now,
                rules=self._rules.ref,
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
        tx.registry.register(model, version, decision=first.id, at=self.now)
        tx.registry.seat(model, seat, decision=first.id, at=self.now)
        tx.registry.mark_verified(model, 1, decision=first.id, at=self.now)

    def fire(self, trigger: ScheduleTrigger) -> None:
        """A schedule is due now."""
        due = self.now.isoformat()
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
        model, now = self.policy.model, self.now
        self._sent += 1
        with self._store.begin() as tx:
            payload = self._completed(tx, event)
            if event.kind == "new_data":
                batch = _batch(f"{self._sent}", int(payload.get("rows") or 0))
                tx.data.add(model, [batch], now)
            signal = NewSignal(
                key=f"test:{self._sent}",
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
            payload["evidence"] = evaluation.digest if evaluation else ""
        return payload

    def decide(self) -> None:
        """Decide, and let workers bring what is due, until nothing changes any more at this time."""
        for _ in range(_MOST_DECISIONS):
            decided = self._decide()
            if not (self._serve() or decided):
                return

    def _decide(self) -> bool:
        now = self.now
        with self._store.begin() as tx:
            snapshot = take_snapshot(tx, self._rules, self.policy, now)
            decision = decide(snapshot, self.policy, now)
            if decision.changes:
                apply_decision(tx, snapshot, decision)
        self.seen.append((now, decision))
        self._asleep_until = decision.wake_at
        return decision.changes

    def _serve(self) -> bool:
        """Claim what was ordered, report what is due; whether anything happened."""
        now, busy = self.now, False
        with self._store.begin() as tx:
            for ordered in reversed(
                tx.runs.find(Query(model=self.policy.model, states=_QUEUED, limit=1000))
            ):
                run = tx.runs.claim(ordered.id, ordered.fence, worker="test", lease=_LEASE)
                if run is not None:
                    busy = self._take_up(tx, run) or busy
            for work in [w for w in self._work if w.due <= now]:
                self._work.remove(work)
                self._report(tx, work)
                busy = True
        return busy

    def _take_up(self, tx: Transaction, run: Run) -> bool:
        if run_work(run.spec.kind).has_candidate:
            candidate = self.next_candidate()
            if candidate is not None:
                self.served += 1
                self._work.append(_Work(self.now + candidate.takes, run, candidate))
            return False
        trained = self._training_of(tx, run)
        candidate = self._brought.get(trained, RuleTestCandidate())
        result: dict[str, Any] = {}
        if run_work(run.spec.kind).judges_challenger:
            result["evaluation"] = to_plain(evaluation_of(candidate, run))
        end = RunEnd(state=RunState.DONE, result=result)
        return tx.runs.finish(run.id, run.fence, end, at=self.now)

    def _training_of(self, tx: Transaction, run: Run) -> str:
        found = tx.registry.versions(self.policy.model, numbers=[run.spec.version or 0])
        return found[0].run if found else ""

    def _report(self, tx: Transaction, work: _Work) -> None:
        run, candidate = work.run, work.candidate
        end = RunEnd(state=RunState.FAILED, reason=candidate.fails)
        if not candidate.fails:
            self._brought[run.id] = candidate
            result = {
                "digest": _digest(run.id),
                "size": 1,
                "recipe": run.spec.recipe,
                "data_through": run.spec.data_through,
                "metrics": {},
            }
            end = RunEnd(state=RunState.DONE, result=result)
        tx.runs.finish(run.id, run.fence, end, at=self.now)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _batch(name: str, rows: int) -> Batch:
    return Batch(uri=f"test:{name}", digest=_digest(name), size=rows, rows=rows)
