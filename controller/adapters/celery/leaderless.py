"""Finds quorum queues that RabbitMQ cannot serve, and makes them anew.

RabbitMQ that is killed within seconds of a quorum queue's first declaration comes back with a queue whose leader never
comes: it declares it without a word, confirms no message and answers no other question about it. Only deleting it
helps, and that loses nothing: its messages are doorbells, and the relay sends them again.

A queue is without a leader for a moment in every election, and longer while most of a cluster's nodes are away. So it
has to be found so again and again, for :data:`PATIENCE` seconds, before it is deleted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kombu import Connection, Queue

from controller.domain.errors import Unavailable

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds for which a queue must have been found without a leader before it is deleted."""
_LOOK_AGAIN = 5.0
"""Seconds for which a queue that was found without a leader is not asked: each question takes as long as this."""
_ANSWER = 3.0
"""Seconds within which a queue with a leader answers."""
_DELETED = 20.0
"""Seconds that RabbitMQ has for deleting: it waits for the leader itself before it does without one."""


@dataclass(frozen=True, slots=True)
class _Found:
    since: float
    last: float


class LeaderlessQueues:
    """What is known of the queues of one RabbitMQ. ``timer`` is a monotonic clock in seconds."""

    def __init__(
        self, url: str, patience: float = PATIENCE, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._patience = patience
        self._timer = timer
        self._found: dict[str, _Found] = {}

    def refuse(self, queue: str) -> None:
        """Unavailable if ``queue`` had no leader a moment ago: the relay has letters for other queues too."""
        found = self._found.get(queue)
        if found is not None and self._timer() - found.last < _LOOK_AGAIN:
            raise _without_leader(queue)

    def serves(self, queue: str) -> None:
        """A message for ``queue`` was confirmed."""
        self._found.pop(queue, None)

    def look_at(self, queue: Queue) -> None:
        """After a message that nobody confirmed: Unavailable if that is for want of a leader."""
        if self._answers(queue):
            self._found.pop(queue.name, None)
            return
        now = self._timer()
        before = self._found.get(queue.name, _Found(now, now))
        self._found[queue.name] = _Found(before.since, now)
        if now - before.since < self._patience or not self._make_anew(queue):
            raise _without_leader(queue.name)
        del self._found[queue.name]
        raise Unavailable(f"The queue {queue.name} had no leader and was declared anew.")

    def _answers(self, queue: Queue) -> bool:
        """Whether somebody answers for ``queue``; True also where nothing answers at all."""
        try:
            with self._channel(_ANSWER) as channel:
                try:
                    # What it gives goes back when the connection ends; who waits for a leader says nothing.
                    channel.basic_get(queue.name)
                except TimeoutError:
                    return False
        except Exception:  # noqa: BLE001 - whatever else is wrong, it is no want of a leader
            return True
        return True

    def _make_anew(self, queue: Queue) -> bool:
        try:
            with self._channel(_DELETED) as channel:
                channel.queue_delete(queue.name)
                queue.bind(channel).declare()
        except Exception as error:  # noqa: BLE001 - said, and tried again with the next letter
            log.warning(
                "the queue %s cannot be deleted: %s", queue.name, error, extra={"action": "queue"}
            )
            return False
        log.warning(
            "the queue %s had no leader for %.0f s: it was deleted and declared anew; what waits is announced again.",
            queue.name,
            self._patience,
            extra={"action": "queue"},
        )
        return True

    @contextmanager
    def _channel(self, seconds: float) -> Iterator[Any]:
        options = {"read_timeout": seconds, "write_timeout": seconds}
        connection = Connection(self._url, connect_timeout=_ANSWER, transport_options=options)
        try:
            connection.connect()
            yield connection.channel()
        finally:
            connection.collect()  # without a farewell, which nobody might answer


def _without_leader(queue: str) -> Unavailable:
    return Unavailable(
        f"RabbitMQ does not serve the queue {queue}: it has no leader.",
        hint="The queue is deleted and declared anew in a moment, and what waits is announced again.",
    )
