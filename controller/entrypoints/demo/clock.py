"""The demonstration's decision clock: it jumps from month to month, and goes at its normal pace in between."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class JumpingClock:
    """A :class:`~controller.ports.Clock` that starts at a moment and never goes back."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._base = start.astimezone(UTC)
        self._since = time.monotonic()

    def now(self) -> datetime:
        """The simulated present."""
        with self._lock:
            return self._base + timedelta(seconds=time.monotonic() - self._since)

    def jump(self, to: datetime) -> None:
        """Go on from `to`; a moment that has passed changes nothing."""
        with self._lock:
            now = self._base + timedelta(seconds=time.monotonic() - self._since)
            if to > now:
                self._base, self._since = to.astimezone(UTC), time.monotonic()
