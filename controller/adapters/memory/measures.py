"""What figures from service add up to, in memory."""

from __future__ import annotations

from controller.adapters.memory.tables import Tables
from controller.domain.decisions import RecordFigure
from controller.domain.errors import Conflict
from controller.domain.records import WindowSums, add_figure, figure


class MemoryMeasures:
    """Hours by (model, version, metric)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, model: str, action: RecordFigure, *, decision: int) -> None:
        if decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")
        key = model, action.version, action.metric
        hour = int(action.at.timestamp() // 3600)
        new = figure(hour, action.value, action.rows, action.std)
        self._tables.measures[key] = add_figure(self._tables.measures.get(key) or (), new)

    def of(self, model: str, version: int, metric: str) -> list[WindowSums]:
        return list(self._tables.measures.get((model, version, metric)) or ())
