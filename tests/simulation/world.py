"""The whole system in one thread and simulated time; a seed decides everything.

Actors: two controllers (engine, relay, rescuer, schedules, in half of the worlds under a lead that they take from each
other), three workers that may die, freeze and come back, a source, and a person who approves and rolls back at the
worst moment. They are the real services on the memory adapters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from controller.adapters.memory import MemoryStore
from controller.domain.canonical import digest
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import IncumbentError, Unavailable
from controller.domain.rules import Approval, Limits, Policy, RollbackSection
from controller.domain.runs import Run, RunKind, RunState
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.versions import VersionState
from controller.policy.triggers import NewDataTrigger, ScheduleTrigger
from controller.ports import Batch, Clock, Query, RunEnd
from tests.simulation.controllers import QUIET, Process, start
from tests.simulation.faults import Chances, Crashed, FaultyBroker, FaultyStore, Surroundings
from tests.simulation.invariants import Broken, Ledger, check, check_liveness, orders_waiting
from tests.support.house import FAILS, PASSES, UNDECIDED, House, evaluation_of, policy
from tests.support.nonsense import VALID, behind_the_doors, nonsense_payload

LEASE = timedelta(seconds=60)
_YEAR = 365 * 86_400
_FLOODS = (SignalKind.WEBHOOK, SignalKind.METRIC, SignalKind.MANUAL, SignalKind.HOLD)
_SAID = {"type": "a", "metric": "mae", "value": 1.0, "n": 3, "reason": "again"}
_OUTCOMES = (PASSES, PASSES, FAILS, UNDECIDED)


def rules_of(rng: Random) -> Policy:
    """A policy; each seed draws limits, a schedule and people of its own."""
    every = ScheduleTrigger(name="pulse", every=timedelta(hours=6))
    nightly = ScheduleTrigger(name="nightly", cron="30 2 * * *", timezone="Europe/Berlin")
    return policy(
        triggers=(
            NewDataTrigger(name="new_data", rows=20_000),
            *rng.choice(((), (every,), (nightly,), (every, nightly))),
        ),
        limits=Limits(
            concurrency=rng.choice((1, 2)),
            cooldown=timedelta(minutes=rng.choice((0, 10))),
            queue_while_running=rng.choice(("coalesce", "skip")),
        ),
        approval=Approval(when=rng.choice(("never", "inconclusive"))),
        rollback=RollbackSection(then=rng.choice(("hold", "resume"))),
    )


@dataclass
class Worker:
    """Hears, claims, works for a while, reports. ``frozen`` for some steps it is a process that was stopped."""

    name: str
    run: Run | None = None
    left: int = 0
    frozen: int = 0


@dataclass
class World:
    """One simulated system. ``history`` tells what happened, for a failing seed.

    ``opens`` makes its store. Every ``checked_every`` steps the invariants are looked at, which asks for all rows.
    """

    seed: int
    opens: Callable[[Clock], Any] = MemoryStore
    strange: bool = False
    checked_every: int = 1
    chances: Chances = field(default_factory=Chances)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.house = House(rules_of(self.rng), opens=self.opens)
        self.rules = self.house.rules
        quiet = replace(policy(), model=QUIET)
        if self.strange:
            self.house.review(quiet)
            self.house.review(self.rules)
        self.led = self.rng.random() < 0.5
        self.around = Surroundings(self.rng, self.chances, self.preempt, self.nap)
        self.store = FaultyStore(self.house.store, self.around)
        self.broker = FaultyBroker(self.around)
        self.ledger = Ledger(policies={QUIET: quiet, self.rules.model: self.rules})
        self.workers = [Worker(f"w{n}") for n in range(3)]
        self.depth = 0
        self.busy: set[int] = set()
        self.files = self.births = 0
        self.ahead = timedelta(0)
        self.keys: list[NewSignal] = []
        self.untold: list[tuple[NewSignal, Batch | None]] = []
        self.evidence: list[str] = []
        self.controllers = [self._controller(n) for n in range(2)]
        self.people = [self.person]
        self.actors: list[Callable[[], None]] = [
            lambda: self.control(0),
            lambda: self.control(1),
            *(lambda w=w: self.labour(w) for w in self.workers),
            self.arrive,
            *self.people,
            *((self.stranger, self.neighbour) if self.strange else ()),
            self.time,
        ]

    def _controller(self, number: int) -> Process:
        self.births += 1
        name = f"c{number}.{self.births}"
        return start(
            name, self.house, self.broker, self.around, self._hear,
            leads=self.led, waited=self.ledger.waited.append if self.strange else None,
        )  # fmt: skip

    def _hear(self, record: DecisionRecord, decision: Decision) -> None:
        self.note(f"decision {record.id}: {decision.verdict} - {decision.reason}")

    def note(self, text: str) -> None:
        """One line of the history."""
        self.history.append(f"{self.broker.step:4d} {text}")

    # --- running ------------------------------------------------------------------------------------------

    def run(self, steps: Iterable[int]) -> None:
        """Faulty steps, then a quiet end in which everything must come to its end.

        What happens in a step follows from the seed and the step's number alone, so that steps can be left out.
        """
        for number in steps:
            self.rng.seed(self.seed * 1_000_003 + number)
            self.broker.step += 1
            self.step(self.rng.choice(self.actors))
        self.rng.seed(self.seed)
        self.decide_until_idle()

    def step(self, actor: Callable[[], None]) -> None:
        """One step of one actor; a crash ends only that step. The invariants are checked after it.

        A process does one thing at a time: whoever is in the middle of a step does not begin another.
        """
        if id(actor) in self.busy:
            return
        self.busy.add(id(actor))
        try:
            actor()
        except Crashed:
            self.note("crash")
        finally:
            self.busy.discard(id(actor))
        if self.depth == 0:
            self._check_now_and_then()

    def _check_now_and_then(self) -> None:
        if self.broker.step % self.checked_every == 0:
            self._check()

    def _check(self) -> None:
        for process in self.controllers:
            self.ledger.trespasses += process.store.trespasses
            process.store.trespasses.clear()
        check(self.house.store, self.ledger, self.rules)

    def preempt(self) -> None:
        """Between two calls of a port anybody else may get a turn: the person, above all."""
        if self.depth < 2 and self.rng.random() < self.chances.preempt:
            self.depth += 1
            try:
                self.step(self.rng.choice([*self.actors, *self.people, *self.people]))
            finally:
                self.depth -= 1

    def nap(self) -> None:
        """Somebody is stopped for up to three leases and wakes up where he was; the world goes on without him."""
        if self.depth:
            return
        seconds = self.rng.randrange(5, 180)
        self.note(f"stopped for {seconds} s")
        self.depth += 1
        try:
            for _ in range(self.rng.randrange(2, 8)):
                self._pass(timedelta(seconds=seconds / 4))
                self.step(self.rng.choice(self.actors))
        finally:
            self.depth -= 1
        self.note("wakes up")

    def decide_until_idle(self, rounds: int = 400) -> None:
        """The faults stop: lease, re-send and one training later all is drained."""
        self.note("the faults stop")
        for name, value in vars(Chances.none()).items():
            setattr(self.chances, name, value)
        self._tell_again()
        for worker in self.workers:
            worker.frozen = 0
        quiet = 0
        for _ in range(rounds):
            self.broker.step += 1
            before = (self._head(), self._active())
            self._pass(timedelta(seconds=15))
            self.house.clock.advance(timedelta(seconds=15))
            for number in range(2):
                self.control(number)
            for worker in self.workers:
                self.labour(worker)
            self._check_now_and_then()
            same = before == (self._head(), self._active()) and not before[1]
            quiet = quiet + 1 if same else 0
            if quiet > 8 and not self._sleep_on():
                break
        check_liveness(self.house.store, self.ledger, self.rules, self.house.clock.now())

    def _sleep_on(self) -> bool:
        """Nothing happens any more: go on to the moment for which something was put off, if there is one."""
        with self.house.store.read() as tx:
            wake = tx.models.state(self.rules.model).wake_at
        if wake is None:
            return False
        self.house.clock.set(max(wake, self.house.clock.now()))
        return True

    def _head(self) -> int:
        with self.house.store.read() as tx:
            return tx.decisions.head()[0]

    def _active(self) -> int:
        with self.house.store.read() as tx:
            return len(tx.outbox.due("run")) + orders_waiting(tx)

    def _pass(self, by: timedelta) -> None:
        """The store's own clock goes on; a server has one of its own."""
        self.house.wall.advance(by)
        passes = getattr(self.house.store, "pass_time", None)
        if passes is not None:
            passes(by)

    def close(self) -> None:
        """Let go of the store."""
        self.house.store.close()

    # --- actors -------------------------------------------------------------------------------------------

    def control(self, number: int) -> None:
        """One controller does one of its rounds, or is replaced by a deploy; after a crash it begins anew."""
        process = self.controllers[number]
        try:
            if self.chances.crash and self.rng.random() < 0.03:
                self.note(f"{process.name} is told to end")
                process.resign()
                self.controllers[number] = self._controller(number)
            else:
                process.work(self.note)
        except Crashed:
            self.controllers[number] = self._controller(number)
            raise

    def labour(self, worker: Worker) -> None:
        """Hear, work, or report. A worker that crashes forgets its run and comes back."""
        if worker.frozen:
            worker.frozen -= 1
            return
        try:
            self._labour(worker)
        except Unavailable as error:
            self.note(f"{worker.name}: {error}")  # what it holds it tries again
        except Crashed:
            worker.run = None
            raise

    def _labour(self, worker: Worker) -> None:
        if worker.run is None:
            self._claim(worker)
        elif worker.left > 0:
            worker.left -= 1
            if self.rng.random() < self.chances.freeze:
                worker.frozen = self.rng.randrange(1, 40)
                self.note(f"{worker.name} freezes over {worker.run.id}")
                return
            with self.store.begin() as tx:
                pulse = tx.runs.heartbeat(worker.run.id, worker.run.fence, lease=LEASE)
            if not pulse.valid or pulse.cancel:
                self._stop(worker, cancelled=pulse.valid)
        else:
            self._report(worker, worker.run)

    def _claim(self, worker: Worker) -> None:
        message = self.broker.hear()
        if message is None:
            return
        with self.store.begin() as tx:
            run = tx.runs.claim(message.run, message.fence, worker=worker.name, lease=LEASE)
        if run is not None:
            worker.run, worker.left = run, self.rng.randrange(4)
            self.note(f"{worker.name} claims {run.id} with fence {run.fence}")

    def _stop(self, worker: Worker, *, cancelled: bool) -> None:
        run, worker.run = worker.run, None
        if cancelled and run is not None:
            end = RunEnd(state=RunState.CANCELLED, reason="cancelled")
            with self.store.begin() as tx:
                tx.runs.finish(run.id, run.fence, end, at=self.house.clock.now())

    def _report(self, worker: Worker, run: Run) -> None:
        end = self._end(run)
        with self.store.begin() as tx:
            held = tx.runs.get(run.id)
            counted = tx.runs.finish(run.id, run.fence, end, at=self.house.clock.now())
        if counted and held is not None and held.fence != run.fence and not held.state.ended:
            raise Broken(f"{worker.name} was fenced from {run.id} and its result counted")
        if counted:
            self.ledger.effects[run.id] = self.ledger.effects.get(run.id, 0) + 1
        self.note(f"{worker.name} reports {run.id}: {'counts' if counted else 'fenced'}")
        if self.rng.random() < 0.2 * (self.chances.crash > 0):
            worker.left = 0  # it was not told that it succeeded, and reports once more
        else:
            worker.run = None

    def _end(self, run: Run) -> RunEnd:
        if run.spec.kind is RunKind.TRAIN:
            if self.rng.random() < 0.1:
                return RunEnd(state=RunState.FAILED, reason="ValueError: a bad day")
            # A training that is done again may bring other bytes; only one of them may count.
            name = hashlib.sha256(f"{run.id}:{run.fence}".encode()).hexdigest()
            return RunEnd(
                state=RunState.DONE,
                result={"digest": name, "size": 1, "recipe": run.spec.recipe, "metrics": {}},
            )
        if run.spec.kind is RunKind.VERIFY:
            good = self.rng.random() < 0.8
            return RunEnd(
                state=RunState.DONE if good else RunState.FAILED,
                reason="" if good else "a flipped byte",
            )
        outcome = _OUTCOMES[digest(run.id).encode()[0] % len(_OUTCOMES)]
        return RunEnd(state=RunState.DONE, result={"evaluation": evaluation_of(run, outcome)})

    def arrive(self) -> None:
        """A file comes, or a source repeats itself because it was never told that it was heard."""
        repeat = self.keys and self.rng.random() < 0.3
        signal = self.rng.choice(self.keys) if repeat else self._file()
        uri = str(signal.payload["uri"])
        batch = Batch(uri=uri, digest=digest(uri), size=1, rows=int(signal.payload["rows"]))
        self._tell(signal, batch)

    def _tell(self, signal: NewSignal, batch: Batch | None = None) -> None:
        """Bring a signal; whoever is not told that it was kept tries again, with the same key."""
        try:
            with self.store.begin() as tx:
                if batch is not None:
                    tx.data.add(signal.model, [batch], self.house.clock.now())
                tx.signals.append([signal], self.house.clock.now())
        except Unavailable:
            self.note(f"{signal.key} was brought, and nobody knows whether it is kept")
            self.untold.append((signal, batch))
            return
        except (IncumbentError, ValueError, TypeError, RecursionError) as refusal:
            if not signal.key.startswith("stranger"):
                raise
            self.note(f"{signal.key} was refused: {type(refusal).__name__}")
            return
        self.ledger.acknowledged.add(signal.key)

    def _tell_again(self) -> None:
        untold, self.untold = self.untold, []
        for signal, batch in untold:
            self._tell(signal, batch)

    def _file(self) -> NewSignal:
        self.files += 1
        uri = f"{self.files:04d}.parquet"
        rows = self.rng.choice((5_000, 12_000, 25_000))
        signal = self._signal(SignalKind.NEW_DATA, f"data:{uri}", {"uri": uri, "rows": rows})
        self.keys.append(signal)
        return signal

    def _signal(
        self, kind: SignalKind, key: str, payload: dict[str, Any], actor: str = "system"
    ) -> NewSignal:
        return NewSignal(
            key=key,
            model=self.rules.model,
            kind=kind,
            occurred_at=self.house.clock.now(),
            payload=payload,
            actor=actor,
        )

    def person(self) -> None:
        """Approves, rolls back, promotes, holds, releases, cancels: mostly at the wrong moment."""
        self._tell_again()
        kind, payload = self._wish()
        if kind is None:
            return
        self.files += 1
        signal = self._signal(
            kind, f"person:{self.files}", payload | {"reason": "why not"}, "person:ana"
        )
        self.note(f"person: {kind} {payload}")
        self._tell(signal)

    def stranger(self) -> None:
        """Says anything of any kind, through the doors or past them; now and then very much of one kind at once."""
        self.files += 1
        if self.rng.random() < 0.1:
            return self._flood(self.rng.choice(_FLOODS), self.rng.choice((20, 120)))
        kind = self.rng.choice(tuple(SignalKind))
        payload = nonsense_payload(self.rng, kind)
        signal = self._signal(kind, f"stranger:{self.files}", payload, "person:eve")
        self.note(f"stranger: {kind}")
        with behind_the_doors() if self.rng.random() < 0.6 else nullcontext():
            self._tell(signal)
        return None

    def _flood(self, kind: SignalKind, count: int) -> None:
        known = VALID[kind]
        payload = {name: value for name, value in _SAID.items() if name in known}
        self.note(f"stranger: {count} times {kind}")
        keys = [f"stranger:{self.files}:{number}" for number in range(count)]
        signals = [self._signal(kind, key, payload, "person:eve") for key in keys]
        try:
            with self.store.begin() as tx:
                tx.signals.append(signals, self.house.clock.now())
        except Unavailable:
            return
        self.ledger.acknowledged.update(keys)

    def neighbour(self) -> None:
        """Wants something of the other model, which is well."""
        self.files += 1
        kind = self.rng.choice((SignalKind.HOLD, SignalKind.RELEASE))
        signal = self._signal(kind, f"neighbour:{self.files}", {"reason": "as ever"}, "person:bo")
        self._tell(replace(signal, model=QUIET))

    def _wish(self) -> tuple[SignalKind | None, dict[str, Any]]:
        with self.store.read() as tx:
            versions = tx.registry.versions(self.rules.model)
            evaluations = tx.registry.evaluations(self.rules.model)
            runs = [r.id for r in tx.runs.find(Query(limit=1000)) if not r.state.ended]
        roll = self.rng.random()
        waiting = [v for v in versions if v.state is VersionState.CHALLENGER]
        if roll < 0.25:
            return SignalKind.RELEASE, {}
        if roll < 0.35:
            return SignalKind.ROLLBACK, {"force": self.rng.random() < 0.3}
        if roll < 0.40:
            return SignalKind.HOLD, {}
        if roll < 0.45 and versions:
            return SignalKind.PROMOTE, {"version": self.rng.choice(versions).number}
        if roll < 0.50 and runs:
            return SignalKind.CANCEL, {"run": self.rng.choice(runs)}
        if roll < 0.55:
            return SignalKind.MANUAL, {}
        if roll < 0.75 and waiting and waiting[0].number in evaluations:
            number = waiting[0].number
            self.evidence.append(digest(evaluations[number]))
            # Sometimes what was seen is no longer what there is.
            seen = self.evidence[-1] if self.rng.random() < 0.8 else self.rng.choice(self.evidence)
            agrees = self.rng.random() < 0.8
            return SignalKind.APPROVAL, {"version": number, "evidence": seen, "agrees": agrees}
        return None, {}

    def time(self) -> None:
        """Time passes, sometimes much of it; the decision clock may jump back."""
        self._pass(timedelta(seconds=self.rng.choice((1, 5, 20, 70))))
        jump = self.rng.choice((1, 5, 60, 600, 3600))
        if self.rng.random() < 0.05:
            jump = self.rng.choice((-3600, 86_400, _YEAR))
        elif self.ahead and self.rng.random() < 0.3:
            jump = -_YEAR  # somebody noticed
        self.ahead += timedelta(seconds=jump if abs(jump) == _YEAR else 0)
        self.house.clock.advance(timedelta(seconds=jump))
        if self.rng.random() < 0.05 * (self.chances.lose > 0):
            self.broker.forget()
            self.note("the broker forgets everything")
