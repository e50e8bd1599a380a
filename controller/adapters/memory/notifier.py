"""A notifier that keeps what it was given."""

from __future__ import annotations

import threading

from controller.domain.errors import Unavailable
from controller.ports import Message


class MemoryNotifier:
    """Keeps messages in order of arrival; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        self.broken = False
        self._lock = threading.Lock()
        self._sent: list[Message] = []

    def send(self, message: Message) -> None:
        if self.broken:
            raise Unavailable(f"The channel {message.channel} takes no messages now.")
        with self._lock:
            self._sent.append(message)

    @property
    def sent(self) -> list[Message]:
        """A copy of all that arrived, oldest first."""
        with self._lock:
            return list(self._sent)
