"""The word that this worker should come to an end, from its main process to the ones that it forked.

Celery tells its pool nothing when it is asked to stop: it waits, for as long as a training takes. Here a moment of
the monotonic clock, which all processes of a machine share, lies in memory that they share as well: after it a run
is broken off and given to its next owner.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import Any

from celery import signals


class Drain:
    """Make it before the pool is forked."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)

    def begin(self, seconds: float) -> None:
        """Runs have this long to end by themselves; a second, shorter wish counts."""
        self._shared[:8] = struct.pack("d", time.monotonic() + seconds)

    @property
    def due(self) -> bool:
        """Whether running work should be broken off now."""
        (moment,) = struct.unpack("d", self._shared[:8])
        return bool(moment > 0 and time.monotonic() >= moment)


def drain_on_signals(drain: Drain, grace: float) -> None:
    """SIGTERM (a deploy) leaves running work ``grace`` seconds, SIGINT (Ctrl-C) none."""

    def stopping(sig: str = "", **_: Any) -> None:
        drain.begin(0.0 if sig == "SIGINT" else grace)

    signals.worker_shutting_down.connect(stopping, weak=False)
