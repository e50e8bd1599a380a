"""The health of sources in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from controller.ports import SourceState


class MemorySourceHealth:
    """The newest state of each model's source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, SourceState] = {}

    def note(self, state: SourceState) -> None:
        with self._lock:
            self._states[state.model] = state

    def forget(self, keep: Sequence[str]) -> None:
        with self._lock:
            self._states = {m: state for m, state in self._states.items() if m in keep}

    def all(self) -> list[SourceState]:
        with self._lock:
            return [self._states[model] for model in sorted(self._states)]
