"""Watches one user process from its start to its end: time, memory, the wish to cancel, the lease, its output.

The memory limit is a watch on the resident size of the whole group, not ``RLIMIT_AS``: the address space of a
process that maps files, starts threads or loads a numeric library is many times what it uses, so that a limit on it
kills the innocent. The watch looks five times a second; what bursts faster meets the kernel's own limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

import psutil

from workers.launching import Child, Exit, Nursery
from workers.output import Output

_TICK = 0.1
_MEMORY_TICK = 0.2
_LAST_WORDS = 1.0
"""Seconds between SIGTERM and SIGKILL when the worker itself has to go."""
_LONGEST_EVENT = 1 << 20


class StopReason(StrEnum):
    """Why we ended a user process."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    CANCEL = "cancel"
    LOST = "lost"
    DRAIN = "drain"

    @property
    def is_polite(self) -> bool:
        """Whether there is time to let the process end by itself: a lost lease or memory that runs out has none."""
        match self:
            case StopReason.CANCEL | StopReason.TIMEOUT | StopReason.DRAIN:
                return True
            case StopReason.MEMORY | StopReason.LOST:
                return False
            case _:
                assert_never(self)

    def grace(self, usual: float) -> float:
        """Seconds between SIGTERM and SIGKILL; ``usual`` where the worker itself stays."""
        return {StopReason.DRAIN: min(usual, _LAST_WORDS)}.get(self, usual)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessLimits:
    """What a user process may use. ``deadline`` is a time of the monotonic clock; ``memory`` is in bytes."""

    deadline: float
    memory: int | None = None
    grace: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listeners:
    """Whom to tell what happens, and whom to ask whether to go on (None: yes)."""

    on_line: Callable[[str], None]
    on_event: Callable[[Mapping[str, Any]], None]
    stop: Callable[[], StopReason | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What is left of a user process."""

    exit: Exit
    seconds: float
    peak_memory: int
    output: bytes
    last_line: str
    stopped: StopReason | None = None


@dataclass(slots=True)
class _Watch:
    child: Child
    limits: ProcessLimits
    listeners: Listeners
    output: Output
    events: bytes = b""
    exit: Exit | None = None
    stopped: StopReason | None = None
    kill_at: float | None = None
    peak: int = 0
    next_look: float = 0.0
    open: set[str] = field(default_factory=lambda: {"output", "events"})

    def turn(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(_TICK):
            if key.data == "exit":
                self.exit = self.child.exit()
            elif not self.read(key.data):
                selector.unregister(key.fd)
        if self.exit is None:
            self.check(time.monotonic())

    def read(self, pipe: str) -> bool:
        """Take what is there; False at the end of the pipe."""
        chunk = os.read(self.child.output if pipe == "output" else self.child.events, 65536)
        if not chunk:
            self.open.discard(pipe)
            return False
        if pipe == "output":
            self.output.feed(chunk)
        else:
            self.hear(chunk)
        return True

    def hear(self, chunk: bytes) -> None:
        *lines, self.events = (self.events + chunk).split(b"\n")
        if len(self.events) > _LONGEST_EVENT:
            self.events = b""
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict):
                    self.listeners.on_event(event)

    def check(self, now: float) -> None:
        if self.stopped:
            if self.kill_at is not None and now >= self.kill_at:
                self.child.kill(signal.SIGKILL)
                self.kill_at = None
            return
        wish = self.listeners.stop()
        if wish is None and now >= self.limits.deadline:
            wish = StopReason.TIMEOUT
        if wish is None and now >= self.next_look:
            self.next_look = now + _MEMORY_TICK
            self.peak = max(self.peak, used := _resident(self.child.pid))
            if self.limits.memory is not None and used > self.limits.memory:
                wish = StopReason.MEMORY
        if wish:
            self.stop(wish, now)

    def stop(self, why: StopReason, now: float) -> None:
        """Politely where there is time for it."""
        self.stopped = why
        self.child.kill(signal.SIGTERM if why.is_polite else signal.SIGKILL)
        self.kill_at = now + why.grace(self.limits.grace) if why.is_polite else None


def run_child(
    nursery: Nursery,
    folder: Path,
    environment: Mapping[str, str],
    cwd: Path,
    limits: ProcessLimits,
    listeners: Listeners,
) -> Ended:
    """Run the job in ``folder`` to its end; nothing of it is left when this returns."""
    started = time.monotonic()
    child = nursery.launch(folder, environment, cwd)
    watch = _Watch(child, limits, listeners, Output(listeners.on_line))
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(child.output, selectors.EVENT_READ, "output")
            selector.register(child.events, selectors.EVENT_READ, "events")
            selector.register(child.connection, selectors.EVENT_READ, "exit")
            while watch.exit is None:
                watch.turn(selector)
            selector.unregister(child.connection)
            drained = (
                time.monotonic() + 1.0
            )  # its group is dead: only what escaped it can hold a pipe open
            while watch.open and time.monotonic() < drained:
                watch.turn(selector)
    finally:
        child.close()
    watch.output.close()
    return Ended(
        exit=watch.exit,
        seconds=time.monotonic() - started,
        peak_memory=max(watch.peak, watch.exit.peak_memory),
        output=watch.output.content(),
        last_line=watch.output.last_line(),
        stopped=watch.stopped,
    )


def _resident(leader: int) -> int:
    """Bytes that the process and all below it hold in memory now."""
    try:
        process = psutil.Process(leader)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            total += member.memory_info().rss
    return total
