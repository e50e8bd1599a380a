"""A broker that only remembers who was rung for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from controller.domain.errors import Unavailable


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """One ring of the doorbell."""

    run: str
    fence: int
    queue: str
    expires: timedelta
    headers: Mapping[str, str] = field(default_factory=dict)


class MemoryDispatcher:
    """Collects rings until somebody takes them; ``broken`` makes it refuse, as a broker that is away does.

    ``lost`` says that it forgot what was rung.
    """

    def __init__(self) -> None:
        self.broken = False
        self.lost = False
        self._lock = threading.Lock()
        self._rings: list[Ring] = []

    def ring(
        self,
        run: str,
        fence: int,
        *,
        queue: str,
        expires: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if self.broken:
            raise Unavailable("The broker does not take messages now.")
        with self._lock:
            self._rings.append(
                Ring(run=run, fence=fence, queue=queue, expires=expires, headers=headers or {})
            )

    def take(self) -> list[Ring]:
        """All rings since the last call, oldest first."""
        with self._lock:
            taken, self._rings = self._rings, []
            return taken

    def forgot(self) -> bool:
        lost, self.lost = self.lost, False
        return lost

    def close(self) -> None:
        """There is nothing to close."""
