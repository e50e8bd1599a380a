"""The worker's row in the database: that it lives, what it serves. Written from the main process's own loop.

There is no thread here, on purpose: a process is forked for every task, and whatever lock a thread holds at that
moment stays locked in the child for ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from datetime import UTC, datetime
from typing import Any

from celery import bootsteps

from controller import __version__
from controller.domain.errors import IncumbentError
from controller.ports import WorkerRow
from workers.bootstrap import open_store
from workers.launching import Nursery
from workers.settings import WorkerSettings

log = logging.getLogger(__name__)

_PULSE = 5.0
_RENEWAL = 0.2


def announce(app: Any, settings: WorkerSettings, nursery: Nursery) -> None:
    """Write the row every few seconds, take it away at the end, and keep the zygote alive."""
    row = WorkerRow(
        name=settings.name,
        host=platform.node(),
        pid=os.getpid(),
        version=__version__,
        queues=settings.queues,
        concurrency=settings.concurrency,
        started_at=datetime.now(UTC),
    )

    class Liveness(bootsteps.StartStopStep):
        """Runs on the worker's timer."""

        requires = {"celery.worker.components:Timer", "celery.worker.components:Pool"}  # noqa: RUF012 - Celery's way of saying it

        def start(self, worker: Any) -> None:
            beat()
            self.timers = [worker.timer.call_repeatedly(_PULSE, beat)]
            pool = getattr(worker.pool, "_pool", None)
            if (
                pool is not None
            ):  # Celery looks every 5 s only whether a process that was renewed has its successor
                self.timers.append(worker.timer.call_repeatedly(_RENEWAL, pool.maintain_pool))

        def stop(self, worker: Any) -> None:  # noqa: ARG002
            for timer in self.timers:
                timer.cancel()
            _write(settings, row, leaving=True)

    def beat() -> None:
        _write(settings, row, leaving=False)
        with contextlib.suppress(IncumbentError):
            nursery.start()  # replaces one that died

    app.steps["worker"].add(Liveness)


def _write(settings: WorkerSettings, row: WorkerRow, *, leaving: bool) -> None:
    """The connection lives for this one write: a fork must not inherit it."""
    try:
        store = open_store(settings)
        try:
            with store.begin() as tx:
                if leaving:
                    tx.workers.leave(row.name)
                else:
                    tx.workers.beat(row)
        finally:
            store.close()
    except IncumbentError as error:
        log.warning("no sign of life: %s", error.sentence(), extra={"action": "liveness"})
