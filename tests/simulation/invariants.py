"""What must hold after every step, and what must have come true once the faults stop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from controller.domain import codec
from controller.domain.canonical import GENESIS, canonical_json
from controller.domain.chain import hash_of
from controller.domain.decisions import (
    Decision,
    MoveVersion,
    RegisterVersion,
    SetChampion,
    StartRun,
)
from controller.domain.rules import Policy
from controller.domain.runs import RunKind, RunState
from controller.domain.signals import SignalStatus
from controller.domain.snapshot import Snapshot
from controller.domain.versions import VersionState, fold
from controller.policy.decide import decide
from controller.policy.triggers import ScheduleTrigger
from controller.ports import Query, Store, Transaction
from controller.service.rules.next_due import next_due


class Broken(AssertionError):
    """An invariant does not hold."""


def _must(holds: object, sentence: str) -> None:
    if not holds:
        raise Broken(sentence)


@dataclass
class Ledger:
    """Written outside the system: which keys were acknowledged, and what was seen of the past."""

    acknowledged: set[str] = field(default_factory=set)
    ended: dict[int, SignalStatus] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    generation: int = 0
    seated: bool = False
    decision: int = 0
    head: str = GENESIS
    caused: dict[int, int] = field(default_factory=dict)
    states: dict[int, VersionState] = field(default_factory=dict)
    champion: int | None = None
    effects: dict[str, int] = field(default_factory=dict)
    trespasses: list[str] = field(default_factory=list)
    """Commits of a controller that did not lead."""
    waited: list[str] = field(default_factory=list)
    """Ticks that left a signal of the quiet model open."""
    policies: dict[str, Policy] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)


def check(store: Store, ledger: Ledger, rules: Policy) -> None:
    """Every invariant of the design, on what is committed now."""
    model = rules.model
    _must(not ledger.trespasses, "; ".join(ledger.trespasses))
    _must(not ledger.waited, "; ".join(ledger.waited))
    with store.read() as tx:
        _check_log(tx.decisions.walk(ledger.decision + 1), ledger)
        _check_signals(tx.signals.find(Query(limit=100_000)), ledger)
        _check_runs(tx.runs.find(Query(limit=100_000)), ledger)
        _check_versions(tx, model, ledger)
        _check_schedules(tx, rules, ledger)


def _check_log(records, ledger: Ledger) -> None:
    for record in records:
        _must(record.id == ledger.decision + 1, f"decision {record.id} follows {ledger.decision}")
        _must(record.prev_hash == ledger.head, f"decision {record.id} forks the chain")
        _must(record.hash == hash_of(record), f"decision {record.id} has another hash")
        ledger.decision, ledger.head = record.id, record.hash
        decision = codec.load_value(Decision, record.decision)
        rules = ledger.policies[record.model]
        again = decide(codec.load_value(Snapshot, record.snapshot), rules, decision.decided_at)
        _must(
            canonical_json(again) == record.decision, f"decision {record.id} is not derived again"
        )
        for action in decision.actions:
            _replay(action, record.id, ledger)


def _replay(action: object, decision: int, ledger: Ledger) -> None:
    """The registry as the log alone tells it, and no signal's effect twice."""
    if isinstance(action, StartRun) and action.spec.kind is RunKind.TRAIN:
        for cause in action.spec.causes:
            for signal in cause.signals:
                first = ledger.caused.setdefault(signal, decision)
                _must(
                    first == decision, f"signal {signal} caused trainings in {first} and {decision}"
                )
    elif isinstance(action, RegisterVersion):
        ledger.states[action.version] = VersionState.CANDIDATE
    elif isinstance(action, MoveVersion):
        ledger.states[action.version] = action.after
    elif isinstance(action, SetChampion):
        ledger.states[action.version] = VersionState.CHAMPION
        ledger.champion = action.version


def _check_signals(signals, ledger: Ledger) -> None:
    keys = {signal.key for signal in signals}
    _must(len(keys) == len(signals), "a key is in the inbox twice")
    lost = ledger.acknowledged - keys
    _must(not lost, f"acknowledged and lost: {sorted(lost)[:3]}")
    for signal in signals:
        known = ledger.ended.get(signal.id)
        _must(
            known is None or known is signal.status,
            f"signal {signal.id} ended as {known} and then as {signal.status}",
        )
        if signal.status.ended:
            _must(signal.reason, f"signal {signal.id} ended without a reason")
            ledger.ended[signal.id] = signal.status


def _check_runs(runs, ledger: Ledger) -> None:
    for run in runs:
        before = ledger.fences.get(run.id, -1)
        _must(run.fence >= before, f"the fence of {run.id} fell from {before} to {run.fence}")
        ledger.fences[run.id] = run.fence
        most = run.spec.retries + 1
        _must(run.attempt <= most, f"{run.id} was tried {run.attempt} times, {most} are allowed")


def _check_versions(tx, model: str, ledger: Ledger) -> None:
    state = tx.models.state(model)
    _must(state.error is None, f"the model is set aside: {state.error}")
    versions = tx.registry.versions(model)
    champions = [v.number for v in versions if v.state is VersionState.CHAMPION]
    _must(len(champions) <= 1, f"several champions: {champions}")
    seat = [state.champion] if state.champion is not None else []
    _must(champions == seat, f"the seat says {seat}, the versions say {champions}")
    ledger.seated = ledger.seated or bool(champions)
    _must(champions or not ledger.seated, "the seat was taken once and is empty now")
    _must(state.generation >= ledger.generation, "the generation fell")
    ledger.generation = state.generation
    runs = [v.run for v in versions]
    _must(len(set(runs)) == len(runs), "a run brought two versions")
    for version in versions:
        known = ledger.digests.setdefault(version.number, version.digest)
        _must(known == version.digest, f"v{version.number} changed its digest")
    now = {v.number: v.state for v in versions}
    folded = {number: s for (_, number), s in fold(tx.facts.of(model)).items()}
    _must(folded == now, "the facts folded are not the registry")
    _must(ledger.states == now, "the log replayed is not the registry")
    _must(ledger.champion == state.champion, "the log replayed has another champion")


def _check_schedules(tx: Transaction, rules: Policy, ledger: Ledger) -> None:
    """A due time that was left behind has fired, or stands in one that has; none fires twice."""
    for trigger in rules.triggers:
        if not isinstance(trigger, ScheduleTrigger):
            continue
        planned = tx.schedules.next_due(rules.model, trigger.name)
        if planned is None:
            continue
        before, ledger.due[trigger.name] = ledger.due.get(trigger.name), planned[0]
        if before == planned[0]:
            continue
        fired = tx.signals.find(Query(model=rules.model, kinds=("schedule",), limit=100_000))
        mine = [s.occurred_at for s in fired if s.trigger == trigger.name]
        known, ledger.fired[trigger.name] = ledger.fired.get(trigger.name, 0), len(mine)
        if before is None or planned[0] <= before:
            continue
        # Between two checks it may have been planned anew for an earlier time, and have fired then.
        stands = any(due >= before for due in mine) or len(mine) > known
        _must(stands, f"{trigger.name} was due at {before} and never fired")
        _must(len(set(mine)) == len(mine), f"{trigger.name} fired twice for one due time")


def check_liveness(store: Store, ledger: Ledger, rules: Policy, now: datetime) -> None:
    """Once the faults have stopped and all is quiet, every signal has its answer and every order its end."""
    check(store, ledger, rules)
    with store.read() as tx:
        waiting = [s for model in ledger.policies for s in tx.signals.pending(model)]
        unanswered = [s for s in waiting if s.status is SignalStatus.OPEN]
        _must(not unanswered, f"never answered: {[s.id for s in unanswered]}")
        for signal in tx.signals.pending(rules.model):
            _must(
                "pending" in signal.reason,
                f"signal {signal.id} waits for nothing: {signal.reason}",
            )
        for trigger in rules.triggers:
            planned = tx.schedules.next_due(rules.model, trigger.name)
            if isinstance(trigger, ScheduleTrigger) and planned is not None:
                beyond = planned[0] > next_due(trigger, now)
                _must(not beyond, f"{trigger.name} sleeps until {planned[0]}, and it is {now}")
        active = [r.id for r in tx.runs.find(Query(limit=100_000)) if not r.state.ended]
        _must(not active, f"never ended: {active}")
        depth = orders_waiting(tx)
        _must(depth == 0, f"{depth} letters were never settled")
        done = [r for r in tx.runs.find(Query(limit=100_000)) if r.state is RunState.DONE]
        trained = {r.id for r in done if r.spec.kind is RunKind.TRAIN}
        registered = {v.run for v in tx.registry.versions(rules.model)}
        _must(trained == registered, f"trained and not registered: {sorted(trained ^ registered)}")
        for run, count in ledger.effects.items():
            _must(count == 1, f"the result of {run} counted {count} times")


def orders_waiting(tx: Transaction) -> int:
    """Letters that have not arrived, without notices: nobody in these worlds sends those."""
    return sum(count for topic, count in tx.outbox.depth().items() if topic != "notify")


def describe(record: str) -> str:
    """The one-line reason of a stored decision."""
    return str(json.loads(record)["reason"])
