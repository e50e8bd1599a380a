"""Rings for a worker: sends ``(run, fence)`` by the task's name, and knows nothing of who hears it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from controller.adapters.celery.leaderless import PATIENCE, LeaderlessQueues
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

_CONFIRMED = 5.0
"""Seconds within which RabbitMQ must have confirmed a message; after that it counts as not sent."""


_MARK = queue_name("mark")
"""The key on Redis that says: since it was written nothing was forgotten."""


class CeleryDispatcher:
    """Implements :class:`controller.ports.Dispatcher` on any broker that :mod:`kombu` speaks to."""

    def __init__(
        self, broker_url: str, queues: Sequence[str] = ("default",), patience: float = PATIENCE
    ) -> None:
        self._url = broker_url
        self._app = Celery("incumbent", set_as_current=False)
        self._app.conf.update(_impatient(celery_settings(broker_url, queues)))
        self._lock = threading.Lock()
        self._producer: Any = None
        # RabbitMQ answers for a queue that it cannot serve after a minute; the relay has other letters.
        self._confirmed = {"confirm_timeout": _CONFIRMED} if is_amqp(broker_url) else {}
        self._leaderless = LeaderlessQueues(broker_url, patience)

    def ring(
        self,
        run: str,
        fence: int,
        *,
        queue: str,
        expires: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        with self._lock:  # a kombu producer belongs to one thread at a time
            self._know(queue)
            self._leaderless.refuse(queue_name(queue))
            try:
                self._app.send_task(
                    TASK,
                    args=(run, fence),
                    queue=queue_name(queue),
                    expires=expires.total_seconds(),
                    headers={**(headers or {}), PROTOCOL_HEADER: PROTOCOL},
                    ignore_result=True,
                    retry=False,
                    producer=self._connected(),
                    **self._confirmed,
                )
            except (OperationalError, KombuError, OSError) as error:
                self._disconnect()
                if is_amqp(self._url) and _is_late(error):
                    self._leaderless.look_at(self._app.amqp.queues[queue_name(queue)])
                raise Unavailable(
                    f"the broker at {_without_secrets(self._url)} does not take messages: {_said(error)}.",
                    hint="Runs wait in the database and are announced again once it answers.",
                ) from error
            self._leaderless.serves(queue_name(queue))

    def forgot(self) -> bool:
        """By a mark that we leave there: Redis that was emptied, or came back with nothing, has lost it as well.

        RabbitMQ keeps what it has confirmed.
        """
        if is_amqp(self._url):
            return False
        with self._lock:
            try:
                client = self._connected().connection.default_channel.client
                return bool(client.set(_MARK, PROTOCOL, nx=True))
            except Exception:  # noqa: BLE001 - each client has errors of its own; the next ring says what is wrong
                self._disconnect()
                return False

    def close(self) -> None:
        with self._lock:
            self._disconnect()
        self._app.close()

    def _connected(self) -> Any:
        """Our own producer, not one of Celery's pools: those keep connections that broke."""
        if self._producer is None:
            self._producer = self._app.amqp.Producer(
                self._app.connection_for_write(), auto_declare=False
            )
        return self._producer

    def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):  # it is broken: how it ends is of no interest
                producer.connection.collect()

    def _know(self, queue: str) -> None:
        """Declare a queue that a policy names and the settings did not: it was reviewed, so it is meant."""
        if queue_name(queue) not in self._app.amqp.queues:
            self._app.amqp.queues.add(declare_queue(queue, self._url))


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


def _is_late(error: BaseException) -> bool:
    """Whether nobody answered in time."""
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)


def _said(error: BaseException) -> str:
    """What the library says; some of its errors have a cause and no words."""
    return str(error) or type(error.__cause__ or error).__name__


def _without_secrets(url: str) -> str:
    """``url`` without the user and the password that it may hold."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
