"""What can be watched of runs, and which workers live, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.runs import RunState
from controller.ports import JournalEntry, JournalLine, WorkerRow


class MemoryJournal:
    """Lines by run."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, run: str, fence: int, entries: Sequence[JournalEntry]) -> bool:
        found = self._tables.runs.get(run)
        if found is None or found.state is not RunState.RUNNING or found.fence != fence:
            return False
        lines = self._tables.journals.get(run) or ()
        new = (
            JournalLine(id=number, fence=fence, entry=entry)
            for number, entry in enumerate(entries, len(lines) + 1)
        )
        self._tables.journals[run] = (*lines, *new)
        return True

    def read(
        self, run: str, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 1000
    ) -> list[JournalLine]:
        lines = self._tables.journals.get(run) or ()
        wanted = (
            line for line in lines if line.id > after and (not kinds or line.entry.kind in kinds)
        )
        return [line for line, _ in zip(wanted, range(limit), strict=False)]


class MemoryWorkers:
    """Rows by name; ``now`` is the store's clock."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    def beat(self, worker: WorkerRow) -> None:
        self._tables.workers[worker.name] = replace(worker, seen_at=self._now)

    def leave(self, name: str) -> None:
        if name in self._tables.workers:
            self._tables.workers.pop(name)

    def all(self) -> list[WorkerRow]:
        return sorted(self._tables.workers.values(), key=lambda row: row.name)
