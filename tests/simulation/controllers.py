"""A controller of the simulated world: the real services over ports that fail, as one process does them in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import Fenced, Unavailable
from controller.domain.signals import SignalStatus
from controller.ports import ControllerRow
from controller.service.deciding.engine import Engine, EngineConfig
from controller.service.loops.fire_schedules import FireSchedules
from controller.service.loops.leadership import Leadership, LeadershipConfig, LedStore
from controller.service.loops.relay_outbox import Relay, RelayConfig
from controller.service.loops.rescue_runs import Rescuer
from tests.simulation.faults import FaultyBroker, FaultyStore, Surroundings
from tests.support.house import START, House

QUIET = "cancellations"
"""The other model of a strange world: nothing is ever wrong with it."""
LEAD = timedelta(seconds=20)
RESEND = timedelta(seconds=30)


@dataclass
class Process:
    """One life of a controller. Whoever crashes is followed by another one, which remembers nothing."""

    name: str
    rounds: tuple[Callable[[], object], ...]
    store: FaultyStore
    leadership: Leadership | None

    def work(self, note: Callable[[str], None]) -> None:
        """Each service once. What does not answer, or another's lead, ends the round of one, as in the loops."""
        for run_once in self.rounds:
            try:
                run_once()
            except (Unavailable, Fenced) as error:
                note(f"{self.name}: {error}")

    def resign(self) -> None:
        """The clean end, as a deploy brings it."""
        if self.leadership is not None:
            self.leadership.resign()


def start(
    name: str,
    house: House,
    broker: FaultyBroker,
    around: Surroundings,
    heard: Callable[[DecisionRecord, Decision], None],
    *,
    leads: bool,
    waited: Callable[[str], None] | None = None,
) -> Process:
    """A new process. With ``leads`` it works only while it leads; without, several work at once and only
    compare-and-set and the models' leases are between them, which is more than the product asks of itself."""
    store = FaultyStore(house.store, around, name if leads else "")
    leadership = None
    led: FaultyStore | LedStore = store
    if leads:
        me = ControllerRow(owner=name, host="here", pid=1, version="1", started_at=START)
        ttl = LeadershipConfig(ttl=LEAD, timer=lambda: house.wall.now().timestamp())
        # What the lead itself is written with is not held against it.
        leadership = Leadership(FaultyStore(house.store, around), me, ttl)
        led = LedStore(store, leadership)
    engine = Engine(led, house.clock, house.parse, EngineConfig(owner=name), heard)
    services: tuple[Callable[[], object], ...] = (
        Rescuer(led, house.clock).run_once,
        FireSchedules(led, house.clock, house.parse).run_once,
        engine.run_once if waited is None else _watched(engine, house, waited),
        Relay(led, broker, RelayConfig(resend=RESEND)).run_once,
    )
    rounds = tuple(_only_while(leadership, run_once) for run_once in services)
    first = () if leadership is None else (leadership.run_once,)
    return Process(name, (*first, *rounds), store, leadership)


def _watched(engine: Engine, house: House, waited: Callable[[str], None]) -> Callable[[], object]:
    """A tick of the engine that goes through leaves nothing open of the model that is well."""

    def waiting() -> set[int]:
        with house.store.read() as tx:
            return {s.id for s in tx.signals.pending(QUIET) if s.status is SignalStatus.OPEN}

    def run_once() -> object:
        before = waiting()
        report = engine.run_once()
        left = before & waiting() if before and not report.conflicts else None
        if left:
            waited(f"signals {sorted(left)[:3]} of {QUIET} waited longer than a tick")
        return report

    return run_once


def _only_while(
    leadership: Leadership | None, run_once: Callable[[], object]
) -> Callable[[], object]:
    """As :mod:`controller.bootstrap` does it: whoever stands by does not even look."""
    if leadership is None:
        return run_once
    return lambda: run_once() if leadership.leads else None
