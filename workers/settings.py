"""What a worker needs to know, from the settings of every process. User code gets less."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from controller.settings import Settings, load_settings

SECRETS = ("INCUMBENT_DATABASE_URL", "INCUMBENT_BROKER_URL")
"""Removed from the environment of user code, with everything that ends in ``_TOKEN``, ``_SECRET`` or ``_FILE``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """One worker. Times are seconds.

    ``clock`` is ``real``, or ``ordered`` where a simulation sets the decision clock: then a run ends at the time it
    was ordered plus the seconds it took. ``code`` is the folder that entry points are imported from.
    """

    home: Path
    home_access: Literal["owner", "group"] = "owner"
    database_url: str
    broker_url: str
    artifacts: str
    code: Path
    name: str
    queues: tuple[str, ...] = ("default",)
    concurrency: int = 1
    lease: float = 60.0
    grace: float = 10.0
    clock: Literal["real", "ordered"] = "real"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    log_format: Literal["text", "json"] = "text"
    traces_url: str | None = None
    preload: tuple[str, ...] = ()
    parent: int | None = None
    secrets: Path | None = None

    @classmethod
    def load(cls, settings: Settings | None = None) -> WorkerSettings:
        """From the settings that every process has (flag over environment over file)."""
        held = settings or load_settings()
        home = held.home.resolve()
        return cls(
            home=home,
            home_access=held.home_access,
            database_url=held.database,
            broker_url=held.broker or _embedded(home),
            artifacts=held.artifacts,
            code=held.code.resolve(),
            name=held.worker_name or f"{socket.gethostname()}-{os.getpid()}",
            queues=_words(held.worker_queues) or ("default",),
            concurrency=held.worker_concurrency,
            lease=held.lease,
            grace=held.grace,
            clock=held.worker_clock,
            log_level=held.log_level,
            log_format=held.log_format,
            traces_url=held.traces_url,
            preload=_words(held.worker_preload),
            parent=held.parent,
            secrets=held.worker_secrets,
        )

    @property
    def heartbeat(self) -> float:
        """Seconds between two heartbeats: three may fail before the lease runs out."""
        return self.lease / 4


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` for user code: without what only we may know."""
    return {
        name: value
        for name, value in environ.items()
        if name not in SECRETS
        and not (name.startswith("INCUMBENT_") and name.endswith(("_TOKEN", "_SECRET", "_FILE")))
    }


def _embedded(home: Path) -> str:
    from workers.bootstrap import open_broker_url

    return open_broker_url(home)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word)
