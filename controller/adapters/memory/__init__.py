"""Every port in memory: for tests, simulation, ``backtest`` and ``plan``. Kept by the same suites as the real ones."""

from __future__ import annotations

from controller.adapters.memory.artifacts import MemoryArtifacts
from controller.adapters.memory.clock import SimulatedClock, SystemClock
from controller.adapters.memory.dispatcher import MemoryDispatcher, Ring
from controller.adapters.memory.notices import MemorySender
from controller.adapters.memory.sources import MemoryDataSource, MemoryRules
from controller.adapters.memory.store import MemoryStore

__all__ = [
    "MemoryArtifacts",
    "MemoryDataSource",
    "MemoryDispatcher",
    "MemoryRules",
    "MemorySender",
    "MemoryStore",
    "Ring",
    "SimulatedClock",
    "SystemClock",
]
