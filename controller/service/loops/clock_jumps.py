"""Notices that the wall clock was set: it parts from the monotonic clock, which nobody sets.

What goes by the wall clock copes with that by itself (schedules, leases, cooldowns); people are told, because times in
the log and due times make no sense otherwise.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from controller.ports import ClockJump, Store

log = logging.getLogger(__name__)

_JUMP = 2.0
"""Seconds by which the two clocks may part between two looks before that counts as a jump."""


class ClockWatch:
    """Compares the two clocks. ``wall`` and ``timer`` are seconds, the latter of a monotonic clock."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._timer = timer
        self._ahead = self._lead()

    def look(self) -> float:
        """By how many seconds the wall clock has jumped since the last look; 0 where it went as it should."""
        before, self._ahead = self._ahead, self._lead()
        parted = self._ahead - before
        return parted if abs(parted) > _JUMP else 0.0

    def _lead(self) -> float:
        return self._wall() - self._timer()


class NoteClockJumps:
    """Counts jumps and remembers the last one: ``keep`` gets it."""

    def __init__(
        self, store: Store, keep: Callable[[ClockJump], None], watch: ClockWatch | None = None
    ) -> None:
        self._store = store
        self._keep = keep
        self._watch = watch or ClockWatch()

    def run_once(self) -> int:
        """One look; 1 if the clock has jumped since the last one."""
        seconds = self._watch.look()
        if not seconds:
            return 0
        jump = ClockJump(at=datetime.now(UTC), seconds=seconds)
        log.warning("%s", jump.sentence(), extra={"action": "clock", "seconds": round(seconds)})
        self._keep(jump)
        with self._store.begin() as tx:
            tx.counters.add("clock_jumps_ahead" if seconds > 0 else "clock_jumps_back")
        return 1
