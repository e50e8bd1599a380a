"""Sums over the books in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.runs import Run
from controller.ports import RunFigure


class MemoryFigures:
    """Counts the rows; ``now`` is the store's clock."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    def verdicts(self, after: int = 0) -> tuple[int, Mapping[tuple[str, str], int]]:
        found: Counter[tuple[str, str]] = Counter()
        last = after
        for record in self._tables.decisions.values():
            if record.id > after:
                found[record.model, self._tables.verdicts[record.id]] += 1
                last = record.id
        return last, found

    def runs(self, after: int = 0, unended: Collection[int] = ()) -> list[RunFigure]:
        numbered = enumerate(self._tables.runs.values(), 1)
        return [
            self._figure(entry, run) for entry, run in numbered if entry > after or entry in unended
        ]

    def _figure(self, entry: int, run: Run) -> RunFigure:
        began, ended = run.started_at, run.ended_at
        return RunFigure(
            entry=entry,
            model=run.model,
            kind=run.spec.kind.value,
            state=run.state.value,
            waited=None if began is None else (began - run.ordered_at).total_seconds(),
            seconds=None if began is None or ended is None else (ended - began).total_seconds(),
            age=(self._now - run.ordered_at).total_seconds(),
        )
