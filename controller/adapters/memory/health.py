"""How sources fare, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from controller.adapters.memory.tables import Tables
from controller.ports import SourceState


class MemorySources:
    """The newest state of each model's source."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def note(self, state: SourceState) -> None:
        self._tables.sources[state.model] = state

    def forget(self, keep: Sequence[str]) -> None:
        for model in list(self._tables.sources):
            if model not in keep:
                self._tables.sources.pop(model)

    def all(self) -> list[SourceState]:
        return sorted(self._tables.sources.values(), key=lambda state: state.model)
