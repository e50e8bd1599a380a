"""A clock that only moves when it is told to, beside the machine's own."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from controller.adapters.clock import SystemClock

__all__ = ["SimulatedClock", "SystemClock"]


class SimulatedClock:
    """Stands still until it is moved. Moving it back is allowed: real clocks do that too."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move by a duration; the new time."""
        with self._lock:
            self._now += by
            return self._now

    def set(self, moment: datetime) -> None:
        """Move to a moment."""
        with self._lock:
            self._now = moment.astimezone(UTC)
