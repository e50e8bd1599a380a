"""The data catalog in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.canonical import to_plain
from controller.domain.data import view_of
from controller.domain.errors import NotFound
from controller.domain.snapshot import DataView
from controller.ports import Batch


class MemoryData:
    """Batches of each model in order of arrival."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, model: str, batches: Sequence[Batch], at: datetime) -> list[Batch]:
        known = self._tables.batches.get(model) or ()
        seen = {(batch.uri, batch.digest) for batch in known}
        fresh: list[Batch] = []
        for batch in batches:
            if (batch.uri, batch.digest) in seen:
                continue
            seen.add((batch.uri, batch.digest))
            sequence = len(known) + len(fresh) + 1
            fresh.append(
                replace(
                    batch,
                    sequence=sequence,
                    seen_at=batch.seen_at or at,
                    schema=to_plain(batch.schema),
                    details=to_plain(batch.details),
                )
            )
        if fresh:
            self._tables.batches[model] = (*known, *fresh)
        return fresh

    def batches(self, model: str, through: int | None = None) -> list[Batch]:
        newest: dict[str, Batch] = {}
        for batch in self._tables.batches.get(model) or ():
            if not batch.quarantined and (through is None or batch.sequence <= through):
                newest[batch.uri] = batch
        return sorted(newest.values(), key=lambda batch: batch.sequence)

    def quarantined(self, model: str) -> list[Batch]:
        return [batch for batch in self._tables.batches.get(model) or () if batch.quarantined]

    def view(self, model: str) -> DataView:
        through = len(self._tables.batches.get(model) or ())
        return view_of(through, [(b.uri, b.digest, b.rows) for b in self.batches(model)])

    def cursor(self, model: str) -> str | None:
        return self._tables.cursors.get(model)

    def set_cursor(self, model: str, cursor: str) -> None:
        self._tables.cursors[model] = cursor

    def quarantine(self, model: str, sequence: int, reason: str) -> None:
        known = self._tables.batches.get(model) or ()
        if not 0 < sequence <= len(known):
            raise NotFound(f"{model} has no batch {sequence}.")
        changed = replace(known[sequence - 1], quarantined=reason)
        self._tables.batches[model] = (*known[: sequence - 1], changed, *known[sequence:])
