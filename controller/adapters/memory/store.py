"""The memory store: one writer at a time, readers see what was committed last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from controller.adapters.memory.catalog import MemoryCatalog, MemoryFreeModels
from controller.adapters.memory.clock import SystemClock
from controller.adapters.memory.data import MemoryData
from controller.adapters.memory.decisions import MemoryDecisions
from controller.adapters.memory.figures import MemoryFigures
from controller.adapters.memory.health import MemoryHints, MemorySources
from controller.adapters.memory.journal import (
    MemoryControllers,
    MemoryCounters,
    MemoryJournal,
    MemoryWorkers,
)
from controller.adapters.memory.leases import MemoryLeases
from controller.adapters.memory.measures import MemoryMeasures
from controller.adapters.memory.models import MemoryModels
from controller.adapters.memory.notes import MemoryNotes
from controller.adapters.memory.notices import MemoryDeliveries, MemorySilences
from controller.adapters.memory.outbox import MemoryOutbox
from controller.adapters.memory.people import (
    MemoryComments,
    MemoryDelegations,
    MemoryNonces,
    MemoryTokens,
)
from controller.adapters.memory.publications import MemoryPublications
from controller.adapters.memory.registry import MemoryFacts, MemoryRegistry
from controller.adapters.memory.reviews import MemoryReviews
from controller.adapters.memory.rules import MemoryRuleStore
from controller.adapters.memory.runs import MemoryRuns
from controller.adapters.memory.schedules import MemorySchedules
from controller.adapters.memory.signals import MemorySignals
from controller.adapters.memory.tables import Tables
from controller.adapters.memory.use import MemoryAliases, MemoryConsumers, MemoryKeeps
from controller.domain.errors import Conflict
from controller.domain.versions import VersionState
from controller.ports import Clock


class MemoryTransaction:
    """All books over one fork of the tables. ``now`` is the store's clock, read once."""

    def __init__(self, tables: Tables, now: datetime, *, writes: bool) -> None:
        self.tables = tables
        self.signals = MemorySignals(tables)
        self.decisions = MemoryDecisions(tables)
        self.models = MemoryModels(tables, writes=writes)
        self.registry = MemoryRegistry(tables, self.models)
        self.facts = MemoryFacts(tables)
        self.runs = MemoryRuns(tables, self.models, self.signals, now)
        self.outbox = MemoryOutbox(tables, now)
        self.leases = MemoryLeases(tables, now)
        self.data = MemoryData(tables)
        self.schedules = MemorySchedules(tables)
        self.rules = MemoryRuleStore(tables, self.models)
        self.journal = MemoryJournal(tables)
        self.workers = MemoryWorkers(tables, now)
        self.sources = MemorySources(tables)
        self.hints = MemoryHints(tables)
        self.reviews = MemoryReviews(tables)
        self.tokens = MemoryTokens(tables)
        self.nonces = MemoryNonces(tables)
        self.delegations = MemoryDelegations(tables)
        self.comments = MemoryComments(tables)
        self.deliveries = MemoryDeliveries(tables)
        self.silences = MemorySilences(tables)
        self.figures = MemoryFigures(tables, now)
        self.controllers = MemoryControllers(tables, now)
        self.counters = MemoryCounters(tables)
        self.catalog = MemoryCatalog(tables)
        self.free = MemoryFreeModels(tables)
        self.aliases = MemoryAliases(tables)
        self.consumers = MemoryConsumers(tables)
        self.keeps = MemoryKeeps(tables)
        self.notes = MemoryNotes(tables)
        self.publications = MemoryPublications(tables)
        self.measures = MemoryMeasures(tables)


class MemoryStore:
    """A database in memory. ``clock`` is the store's own clock, by which leases and letters are measured."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._writer = threading.Lock()
        self._owner: int | None = None
        self._tables = Tables()

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        if self._owner == threading.get_ident():
            raise RuntimeError("a transaction is open in this thread; one inside another cannot be")
        with self._writer:
            self._owner = threading.get_ident()
            try:
                work = self._tables.fork()
                yield MemoryTransaction(work, self._clock.now(), writes=True)
                _check_seats(work)
                self._tables = work
            finally:
                self._owner = None

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[MemoryTransaction]:
        del snapshot  # one is free here
        # A fork too: what a reader writes by mistake is seen by nobody.
        yield MemoryTransaction(self._tables.fork(), self._clock.now(), writes=False)

    def close(self) -> None:
        """There is nothing to close."""


def _check_seats(tables: Tables) -> None:
    """What the databases check when a transaction ends: who sits in a seat is in the state ``champion``."""
    if not tables.touched_seats:
        return
    for model in tables.touched_seats:
        state = tables.models.get(model)
        if state is None or state.champion is None:
            continue
        version = tables.versions[model, state.champion]
        if version.state is not VersionState.CHAMPION:
            raise Conflict(
                f"{model} v{version.number} is champion but would be {version.state};"
                " promote another version in the same transaction."
            )
    tables.touched_seats.clear()
