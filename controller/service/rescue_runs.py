"""The rescuer: takes back runs whose worker fell silent, and has them rung for again."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from controller.crashpoints import reach
from controller.domain.runs import RunState
from controller.ports import Clock, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RescueReport:
    """What one look did."""

    requeued: int = 0
    given_up: int = 0


class Rescuer:
    """The new fence and the new doorbell are written together; the old worker's writes no longer count."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def run_once(self) -> RescueReport:
        """Reclaim every running run whose lease has run out."""
        with self._store.begin() as tx:
            reclaimed = tx.runs.reclaim(at=self._clock.now())
            for run in reclaimed:
                if run.state is RunState.QUEUED:
                    payload = {"run": run.id, "queue": run.spec.queue}
                    tx.outbox.put("run", f"{run.id}:{run.fence}", payload)
            if reclaimed:
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
