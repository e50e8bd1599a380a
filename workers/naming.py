"""A worker's name is its own: two that share one would take each other for dead, and nobody could tell who did what."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

from controller.domain.errors import Conflict, Unavailable
from controller.ports import Store, WorkerRow
from workers.bootstrap import open_store
from workers.settings import WorkerSettings

PATIENCE = 12.0
"""Seconds in which a worker that lives shows it, twice over."""


def claim_name(settings: WorkerSettings) -> None:
    """Conflict if a worker of this name lives; one that was killed on this machine makes way at once."""
    store = open_store(settings)
    try:
        wait_for_name(store, settings.name)
    except Unavailable:
        return  # it says so itself, and starts: the name is looked at again with the next start
    finally:
        store.close()


def wait_for_name(
    store: Store,
    name: str,
    timer: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> None:
    """Watch the row of that name until it is clear whether its worker lives."""
    first = _row(store, name)
    deadline = timer() + PATIENCE
    while first is not None and not _is_gone(first) and timer() < deadline:
        now = _row(store, name)
        if now is None:
            return
        if now.seen_at != first.seen_at:
            raise Conflict(
                f"A worker called {name} lives already: process {now.pid} on {now.host}.",
                hint="Choose another --name (INCUMBENT_WORKER_NAME), or end that one first.",
            )
        rest(0.5)


def _row(store: Store, name: str) -> WorkerRow | None:
    with store.read() as tx:
        return next((row for row in tx.workers.all() if row.name == name), None)


def _is_gone(row: WorkerRow) -> bool:
    """Whether the process of a row is known to have ended; of another machine nobody knows."""
    if row.host != platform.node():
        return False
    if row.pid == os.getpid():
        return True
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
