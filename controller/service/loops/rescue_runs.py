"""The rescuer: takes back runs whose worker fell silent, and has them rung for again.

It tells a lost worker from one that only could not speak: after a jump of the wall clock (somebody set it, the machine
slept) every lease seems to have run out, or to come from a future that no lease reaches, so it waits for as long as a
lease lasts before it judges anybody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from controller.crashpoints import reach
from controller.domain.runs import RunState
from controller.ports import DOORBELL, Clock, Store, doorbell_key
from controller.service.loops.clock_jumps import ClockWatch

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RescueReport:
    """What one look did."""

    requeued: int = 0
    given_up: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RescueConfig:
    """``lease`` in seconds is how long workers have to speak up after a jump of the wall clock.

    ``wall`` and ``timer`` are seconds of the machine's wall clock and of its monotonic one.
    """

    lease: float = 60.0
    wall: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic


class Rescuer:
    """The new fence and the new doorbell are written together; the old worker's writes no longer count."""

    def __init__(self, store: Store, clock: Clock, config: RescueConfig | None = None) -> None:
        self._store = store
        self._clock = clock
        self._config = config or RescueConfig()
        self._watch = ClockWatch(self._config.wall, self._config.timer)
        self._patient_until = 0.0

    def run_once(self) -> RescueReport:
        """Reclaim every running run whose lease has run out."""
        if self._is_patient():
            return RescueReport()
        with self._store.begin() as tx:
            reclaimed = tx.runs.reclaim(at=self._clock.now())
            for run in reclaimed:
                if run.state is RunState.QUEUED:
                    payload = {"run": run.id, "queue": run.spec.queue}
                    tx.outbox.put(DOORBELL, doorbell_key(run.id, run.fence), payload)
            if reclaimed:
                tx.counters.add("runs_taken_back", len(reclaimed))
                reach("reclaim-written")
        if reclaimed:
            reach("reclaimed")
        for run in reclaimed:
            log.warning(
                "worker fell silent",
                extra={"action": "reclaim", "run": run.id, "state": run.state.value},
            )
        requeued = sum(run.state is RunState.QUEUED for run in reclaimed)
        return RescueReport(requeued=requeued, given_up=len(reclaimed) - requeued)

    def _is_patient(self) -> bool:
        jumped, now = self._watch.look(), self._config.timer()
        if jumped:
            self._patient_until = now + self._config.lease
            log.warning(
                "the clock jumped: workers get a lease's time to report",
                extra={"action": "clock_jumped", "seconds": round(jumped)},
            )
        return now < self._patient_until
