"""What leaves the database: the outbox, and those who carry its letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

DOORBELL = "run"
"""The topic of letters that ring for a worker."""


def doorbell_key(run: str, fence: int) -> str:
    """The key of the letter that rings for a queued run; each return to the queue has a fence, and a letter, anew."""
    return f"{run}:{fence}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One row of the outbox: a doorbell (topic ``run``) or a notification (topic ``notify``)."""

    id: int
    topic: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    due_at: datetime
    last_error: str = ""


class Outbox(Protocol):
    """What must leave the database: written with the decision, sent again until it is acknowledged.

    ``due_at`` is measured by the store's own clock, as leases are.
    """

    def put(self, topic: str, key: str, payload: Mapping[str, Any]) -> None:
        """Enter a letter that is due at once; the same key is the same letter."""
        ...

    def due(self, topic: str, limit: int = 100) -> list[Letter]: ...

    def postpone(self, letter: int, delay: timedelta, error: str = "") -> None:
        """It was sent, or sending failed: look again after ``delay``."""
        ...

    def hasten(self, topic: str) -> None:
        """All letters of ``topic`` that wait are due now."""
        ...

    def acknowledge(self, letter: int) -> None:
        """It has arrived for good."""
        ...

    def failing(self, limit: int = 100) -> list[Letter]:
        """Letters that wait and whose last sending failed, also before they are due again; the oldest first."""
        ...

    def depth(self) -> Mapping[str, int]:
        """Letters waiting, by topic."""
        ...


class Dispatcher(Protocol):
    """Rings for a worker. A message is only a doorbell: it may be lost, doubled or late."""

    def ring(
        self,
        run: str,
        fence: int,
        *,
        queue: str,
        expires: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Raises Unavailable when the broker does not take it. ``headers`` go along, for those who trace."""
        ...

    def forgot(self) -> bool:
        """Whether the broker has lost what was rung since this was last asked; False too where it cannot be told."""
        ...

    def close(self) -> None: ...
