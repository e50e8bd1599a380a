"""Rings for a worker: sends ``(run, fence)`` by the task's name, and knows nothing of who hears it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from controller.adapters.celery.settings import (
    PROTOCOL,
    PROTOCOL_HEADER,
    TASK,
    celery_settings,
    declare_queue,
    is_amqp,
    queue_name,
)
from controller.domain.errors import Unavailable

_PATIENCE = 3.0
"""Seconds that connecting may take: the relay holds other letters meanwhile and tries again anyway."""


class CeleryDispatcher:
    """Implements :class:`controller.ports.Dispatcher` on any broker that :mod:`kombu` speaks to."""

    def __init__(self, broker_url: str, queues: Sequence[str] = ("default",)) -> None:
        self._url = broker_url
        self._app = Celery("incumbent", set_as_current=False)
        self._app.conf.update(_impatient(celery_settings(broker_url, queues)))
        self._lock = threading.Lock()

    def ring(self, run: str, fence: int, *, queue: str, expires: timedelta) -> None:
        with self._lock:  # a kombu producer belongs to one thread at a time
            self._know(queue)
            try:
                self._app.send_task(
                    TASK,
                    args=(run, fence),
                    queue=queue_name(queue),
                    expires=expires.total_seconds(),
                    headers={PROTOCOL_HEADER: PROTOCOL},
                    ignore_result=True,
                    retry=False,
                )
            except (OperationalError, KombuError, OSError) as error:
                self._forget_connections()
                raise Unavailable(
                    f"the broker at {_without_secrets(self._url)} does not take messages: {error}.",
                    hint="Runs wait in the database and are announced again once it answers.",
                ) from error

    def close(self) -> None:
        self._app.close()

    def _know(self, queue: str) -> None:
        """Declare a queue that a policy names and the settings did not: it was reviewed, so it is meant."""
        if queue_name(queue) not in self._app.amqp.queues:
            self._app.amqp.queues.add(declare_queue(queue, self._url))

    def _forget_connections(self) -> None:
        """A producer whose connection broke is not given to the next ring."""
        self._app.pool.force_close_all()
        self._app.amqp._producer_pool = None  # noqa: SLF001 - the pool has no public way to start anew
        self._app._pool = None  # noqa: SLF001


def _impatient(settings: dict[str, Any]) -> dict[str, Any]:
    """The shared settings, with an end to each attempt to connect."""
    options = dict(settings["broker_transport_options"])
    options |= {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
    if not is_amqp(settings["broker_url"]):
        options |= {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    return settings | {
        "broker_transport_options": options,
        "broker_connection_timeout": _PATIENCE,
        "broker_pool_limit": 1,
    }


def _without_secrets(url: str) -> str:
    """``url`` without the user and the password that it may hold."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
