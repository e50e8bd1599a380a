"""What can be watched of runs, which workers and controllers live, and what was counted, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.runs import RunState
from controller.ports import FORGOTTEN, ControllerRow, JournalEntry, JournalLine, WorkerRow


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


class MemoryControllers:
    """Rows by owner; ``now`` is the store's clock."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    def beat(self, controller: ControllerRow) -> None:
        for row in self._tables.controllers.values():
            if row not in self.all():
                self._tables.controllers.pop(row.owner)
        self._tables.controllers[controller.owner] = replace(controller, seen_at=self._now)

    def leave(self, owner: str) -> None:
        if owner in self._tables.controllers:
            self._tables.controllers.pop(owner)

    def all(self) -> list[ControllerRow]:
        rows = self._tables.controllers.values()
        fresh = [row for row in rows if row.seen_at and self._now - row.seen_at < FORGOTTEN]
        return sorted(fresh, key=lambda row: row.owner)


class MemoryCounters:
    """Numbers by name."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, name: str, by: int = 1) -> None:
        self._tables.counters[name] = (self._tables.counters.get(name) or 0) + by

    def all(self) -> Mapping[str, int]:
        return {name: self._tables.counters[name] for name in sorted(self._tables.counters)}
