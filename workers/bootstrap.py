"""Where a worker opens what is outside of it: the database, the artifacts, who hears traces, the embedded broker.

Apart from ``controller.bootstrap``, whose services a worker must not load.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from controller.adapters.artifacts import open_artifacts
from controller.adapters.clock import SystemClock
from controller.adapters.sql.store import SqlStore

if TYPE_CHECKING:
    from controller.ports import Tracer
    from workers.settings import WorkerSettings

__all__ = ["open_artifacts", "open_broker_url", "open_store", "open_traces"]


def open_store(settings: WorkerSettings) -> SqlStore:
    """The database of the settings, by the machine's clock."""
    return SqlStore(settings.database_url, SystemClock())


def open_traces(url: str) -> Tracer:
    """Who hears traces; all is sent at once."""
    from controller.adapters.telemetry import open_tracer

    return open_tracer(url, "incumbent-worker", at_once=True)


def open_broker_url(home: Path) -> str:
    """Where the embedded broker of a home listens."""
    from controller.adapters.celery.broker import embedded_url

    return embedded_url(home)
