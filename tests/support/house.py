"""The whole system in memory and simulated time: a store, an engine, a relay, a rescuer and a worker that obeys.

Nothing here replaces a part of ours: the services are the real ones, on the memory adapters that ship with the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.adapters.memory import MemoryDispatcher, MemoryStore, SimulatedClock
from controller.adapters.memory.store import MemoryTransaction
from controller.domain.canonical import digest, to_plain
from controller.domain.decisions import Decision, DecisionRecord, RulesRef
from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.rules import (
    SERVABLE,
    Comparison,
    DataSection,
    Gate,
    Policy,
    Recipe,
    Reference,
    TrainSection,
)
from controller.domain.runs import Run, RunKind, RunState
from controller.domain.signals import NewSignal, Signal, SignalKind
from controller.policy.triggers import NewDataTrigger
from controller.ports import ActiveRules, Batch, Clock, Query, RunEnd
from controller.service.deciding.engine import Engine
from controller.service.loops.relay_outbox import Relay
from controller.service.loops.rescue_runs import Rescuer

START = datetime(2013, 1, 31, 12, tzinfo=UTC)
MODEL = "flight-delay"
LEASE = timedelta(seconds=60)

BETTER = Gate(
    name="better",
    metric="mae",
    comparison=Comparison.BETTER_THAN,
    reference=Reference.CHAMPION,
    line=7,
)


def policy(**changes: Any) -> Policy:
    """The smallest useful policy, with ``changes``."""
    sections: dict[str, Any] = {
        "model": MODEL,
        "data": DataSection(source="data/*.parquet", target="arr_delay", time="time_hour"),
        "train": TrainSection(recipes=(Recipe(name="gbm", entrypoint="flights:train"),)),
        "triggers": (NewDataTrigger(name="new_data", rows=20_000, line=5),),
        "promote": (BETTER,),
    }
    return Policy(**(sections | changes))


def evidence(gate: Gate = BETTER, **changes: Any) -> GateEvidence:
    """Evidence that passes ``gate`` clearly, with ``changes``."""
    values: dict[str, Any] = {
        "gate": gate.name,
        "metric": gate.metric,
        "method": "paired BCa bootstrap",
        "challenger": 14.2,
        "reference": 14.6,
        "reference_name": "champion v1",
        "difference": -0.4,
        "interval_low": -0.55,
        "interval_high": -0.25,
        "theta": -0.4,
        "p_pass": 0.001,
        "p_fail": 0.999,
        "n": 6_000,
    }
    return GateEvidence(**(values | changes))


def servable(problem: str | None = None) -> GateEvidence:
    """The evidence of the gate that is always on."""
    value = 1.0 if problem is None else 0.0
    return GateEvidence(
        gate=SERVABLE, metric=SERVABLE, method="load", challenger=value, problem=problem
    )


def evaluation_of(run: Run, outcome: Mapping[str, Any]) -> Any:
    """What an evaluation run reports, as it stands in the signal: the same evidence for each gate."""
    gates = tuple(evidence(gate, **outcome) for gate in run.spec.gates)
    report = Evaluation(
        run=run.id,
        version=run.spec.version or 0,
        champion=run.spec.champion,
        anchor=run.spec.anchor,
        evidence=(servable(), *gates),
        holdout=HoldoutView(rows=6_000, labelled=6_000, digest="5" * 64),
    )
    return to_plain(report)


PASSES: Mapping[str, Any] = {}
FAILS: Mapping[str, Any] = {"theta": 0.4, "difference": 0.4, "p_pass": 0.999, "p_fail": 0.001}
UNDECIDED: Mapping[str, Any] = {"p_pass": 0.2, "p_fail": 0.8, "needed_n": 40_000}


@dataclass
class House:
    """The system of one test. ``rules`` may be exchanged with :meth:`review`."""

    rules: Policy = field(default_factory=policy)
    given: Any = None
    """Another store to live on. Where there is none it is memory, and tests may look into its tables."""
    opens: Callable[[Clock], Any] = MemoryStore
    """Makes the store where none is given; its clock is the house's wall."""

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.wall = SimulatedClock(START)
        self.store: MemoryStore = self.given or self.opens(self.wall)
        self.dispatcher = MemoryDispatcher()
        self.told: list[Decision] = []
        self.policies: dict[str, Policy] = {}
        self.engine = Engine(self.store, self.clock, self.parse, decided=self._hear)
        self.relay = Relay(self.store, self.dispatcher)
        self.rescuer = Rescuer(self.store, self.clock)
        self.review(self.rules)

    def behind(self) -> AbstractContextManager[MemoryTransaction]:
        """A transaction of the memory store, whose tables can be changed behind every guard."""
        if not isinstance(self.store, MemoryStore):
            raise TypeError("only a store in memory has tables to change")
        return self.store.begin()

    def parse(self, text: str, path: str) -> Policy:
        """The rules that were reviewed under this text."""
        del path
        return self.policies[text]

    def _hear(self, record: DecisionRecord, decision: Decision) -> None:
        del record
        self.told.append(decision)

    def review(self, rules: Policy) -> None:
        """Put rules in force."""
        self.rules = rules
        text = repr(rules)
        self.policies[text] = rules
        blob = hashlib.sha1(text.encode()).hexdigest()
        ref = RulesRef(path=f"rules/{rules.model}.yaml", blob=blob)
        with self.store.begin() as tx:
            tx.rules.activate(
                ActiveRules(model=rules.model, ref=ref, text=text, activated_at=self.clock.now())
            )

    def signal(self, kind: SignalKind, key: str = "", **payload: Any) -> int:
        """Put one signal into the inbox; its id."""
        actor = payload.pop("actor", "system")
        new = NewSignal(
            key=key or f"{kind}:{actor}:{self.clock.now().isoformat()}:{payload}",
            model=self.rules.model,
            kind=kind,
            occurred_at=self.clock.now(),
            payload=payload,
            trigger=payload.pop("trigger", None),
            actor=actor,
        )
        with self.store.begin() as tx:
            return tx.signals.append([new], self.clock.now())[0].id

    def approve(self, actor: str, version: int = 2, **more: Any) -> Signal:
        """A person's approval of a version, appended past the service and answered."""
        with self.store.read() as tx:
            seen = digest(tx.registry.evaluations(self.rules.model, (version,))[version])
        payload: dict[str, Any] = {
            "version": version,
            "evidence": seen,
            "groups": ["leads"],
            "reason": "fine",
        }
        number = self.signal(SignalKind.APPROVAL, actor=actor, **payload | more)
        self.tick()
        with self.store.read() as tx:
            found = tx.signals.get(number)
        assert found is not None
        return found

    def data(self, rows: int, name: str = "") -> int:
        """A file arrives; the id of its signal."""
        uri = name or f"{self.clock.now():%Y-%m-%d-%H%M%S}.parquet"
        content = hashlib.sha256(uri.encode()).hexdigest()
        batch = Batch(uri=uri, digest=content, size=rows * 10, rows=rows)
        with self.store.begin() as tx:
            (kept,) = tx.data.add(self.rules.model, [batch], self.clock.now())
        key, sequence = f"data:{uri}:{content}", kept.sequence
        return self.signal(SignalKind.NEW_DATA, key, rows=rows, uri=uri, sequence=sequence)

    def tick(self) -> list[Decision]:
        """Rescue, decide, relay, as the loops do; the decisions that were written."""
        before = len(self.told)
        self.rescuer.run_once()
        self.engine.run_once()
        self.relay.run_once()
        return self.told[before:]

    def claim(self, worker: str = "w1") -> Run | None:
        """Hear the doorbell and claim what it names; the newest ring counts."""
        for ring in self.dispatcher.take():
            with self.store.begin() as tx:
                run = tx.runs.claim(ring.run, ring.fence, worker=worker, lease=LEASE)
            if run is not None:
                return run
        return None

    def finish(self, run: Run, **result: Any) -> bool:
        """A worker reports success with the token it won."""
        end = RunEnd(state=RunState.DONE, result=result)
        with self.store.begin() as tx:
            return tx.runs.finish(run.id, run.fence, end, at=self.clock.now())

    def fail(self, run: Run, reason: str) -> bool:
        """A worker reports failure."""
        end = RunEnd(state=RunState.FAILED, reason=reason)
        with self.store.begin() as tx:
            return tx.runs.finish(run.id, run.fence, end, at=self.clock.now())

    def work(self, outcome: Mapping[str, Any] = PASSES) -> list[Decision]:
        """Tick and obey until nothing is left to do; evaluations report evidence with ``outcome``."""
        decided = self.tick()
        while (run := self.claim()) is not None:
            if run.spec.kind is RunKind.TRAIN:
                self.trained(run)
            elif run.spec.kind is RunKind.VERIFY:
                self.finish(run, version=run.spec.version)
            else:
                self.evaluated(run, outcome)
            decided += self.tick()
        return decided

    def trained(self, run: Run) -> bool:
        """Report a trained model whose digest follows from the run."""
        digest = hashlib.sha256(run.id.encode()).hexdigest()
        return self.finish(
            run,
            digest=digest,
            size=1000,
            metrics={"mae": 14.0},
            recipe=run.spec.recipe,
            data_through=run.spec.data_through,
        )

    def evaluated(self, run: Run, outcome: Mapping[str, Any] = PASSES) -> bool:
        """Report the same evidence for each gate."""
        return self.finish(run, evaluation=evaluation_of(run, outcome))

    @property
    def champion(self) -> int | None:
        """Who sits in the seat."""
        with self.store.read() as tx:
            return tx.models.state(self.rules.model).champion

    def records(self) -> list[DecisionRecord]:
        """The decision log, oldest first."""
        with self.store.read() as tx:
            return list(tx.decisions.walk())

    def states(self) -> dict[int, str]:
        """Each version's state."""
        with self.store.read() as tx:
            return {v.number: v.state.value for v in tx.registry.versions(self.rules.model)}

    def statuses(self) -> dict[int, str]:
        """Each signal's status."""
        with self.store.read() as tx:
            found = tx.signals.find(Query(model=self.rules.model, limit=1000))
            return {signal.id: signal.status.value for signal in found}
