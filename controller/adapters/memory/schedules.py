"""Schedules in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from controller.adapters.memory.tables import Tables


class MemorySchedules:
    """Due times by (model, trigger)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def next_due(self, model: str, trigger: str) -> tuple[datetime, str] | None:
        return self._tables.schedules.get((model, trigger))

    def set_next(self, model: str, trigger: str, due: datetime, definition: str) -> None:
        self._tables.schedules[model, trigger] = (due, definition)

    def forget(self, model: str, keep: Sequence[str]) -> None:
        for known in list(self._tables.schedules):
            if known[0] == model and known[1] not in keep:
                self._tables.schedules.pop(known)
