"""Runs with their fencing tokens, what they say while they last, and the workers that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from controller.domain.decisions import StartRun
from controller.domain.redact import redact
from controller.domain.runs import Run, RunState
from controller.ports.query import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """What a heartbeat hears: is the token still good, and does somebody want the run to stop?"""

    valid: bool
    cancel: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """How a run ended. ``reason`` is one sentence for people; ``result`` is what goes into the signal.

    The reason may quote an exception of a training: whatever looks like a secret is taken out of it here, before any
    store, log or message has it.
    """

    state: RunState
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", redact(self.reason))


class RunStore(Protocol):
    """Runs with their fencing tokens. Every write of a worker names the token it won; row count 0 means fenced.

    Whatever takes a run out of the queue acknowledges the letter that rings for it, in the same transaction.
    """

    def order(self, model: str, action: StartRun, *, decision: int, at: datetime) -> Run:
        """Enter a queued run with fence 0 and attempt 0; its number must be the model's next one."""
        ...

    def get(self, run: str) -> Run | None: ...

    def find(self, query: Query) -> list[Run]: ...

    def claim(self, run: str, fence: int, *, worker: str, lease: timedelta) -> Run | None:
        """Queued with that fence → running with fence + 1 and attempt + 1; None if it was not to be had."""
        ...

    def heartbeat(
        self, run: str, fence: int, *, lease: timedelta, progress: float | None = None
    ) -> Pulse:
        """Extend the lease of a running run that still has this fence.

        A lease of zero hands the run back: it is reclaimed at once, and its attempt does not count.
        """
        ...

    def finish(self, run: str, fence: int, end: RunEnd, *, at: datetime) -> bool:
        """End a running run and append its signal (``run_finished`` or ``run_failed``) in the same transaction.

        The signal's key is ``run:<id>:<state>``. False: fenced, nothing was written.
        """
        ...

    def request_cancel(self, run: str, reason: str, *, at: datetime) -> None:
        """Queued → cancelled at once (with its signal); running → the next heartbeat hears of it."""
        ...

    def reclaim(self, *, at: datetime) -> list[Run]:
        """Take back what is silent: running with a lease that ran out → queued with fence + 1, or → dead with its
        signal once attempts that count exceed the spec's retries. Returns the runs as they are now.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalEntry:
    """What a run says while it lasts. ``kind`` is ``log``, ``metric`` or ``phase``; ``at`` is the worker's clock.

    ``value`` is None where a metric was no number; ``text`` then says what it was.
    """

    at: datetime
    kind: str
    text: str = ""
    name: str = ""
    step: int | None = None
    value: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalLine:
    """An entry as it is kept; ``id`` rises, and a later attempt of the run has a higher ``fence``."""

    id: int
    fence: int
    entry: JournalEntry


class RunJournal(Protocol):
    """What can be watched of a run: metrics by step, phases, lines of output. Nothing is decided by it."""

    def append(self, run: str, fence: int, entries: Sequence[JournalEntry]) -> bool:
        """Keep the entries if the run is running with this fence; False: fenced, nothing was kept."""
        ...

    def read(
        self, run: str, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 1000
    ) -> list[JournalLine]:
        """Lines with an id above ``after``, oldest first; no kinds means all."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRow:
    """A worker that has announced itself. ``seen_at`` is the store's clock at its last sign of life."""

    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    concurrency: int
    started_at: datetime
    seen_at: datetime | None = None


class WorkerRepository(Protocol):
    """Which workers live. A row that has not been renewed for a while is of one that does not."""

    def beat(self, worker: WorkerRow) -> None:
        """A sign of life: ``seen_at`` becomes the store's present."""
        ...

    def leave(self, name: str) -> None:
        """It ended in order."""
        ...

    def all(self) -> list[WorkerRow]:
        """By name."""
        ...
