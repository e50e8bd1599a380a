"""How sources fare, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.ports import SourceState


class MemorySources:
    """The newest state of each source."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def note(self, states: Sequence[SourceState]) -> None:
        for state in states:
            self._tables.sources[state.model] = state

    def forget(self, keep: Sequence[str]) -> None:
        kept = frozenset(keep)
        for model in list(self._tables.sources):
            if model not in kept:
                self._tables.sources.pop(model)

    def all(self) -> list[SourceState]:
        return sorted(self._tables.sources.values(), key=lambda state: state.model)


class MemoryHints:
    """The newest hint of each model."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def hint(self, models: Sequence[str], at: datetime) -> None:
        for model in models:
            self._tables.hints[model] = at

    def hinted(self) -> Mapping[str, datetime]:
        return {model: self._tables.hints[model] for model in self._tables.hints}
