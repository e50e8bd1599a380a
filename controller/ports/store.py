"""The database: all books in one transaction."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from controller.ports.catalog import Catalog, FreeModelRepository
from controller.ports.controllers import ControllerRepository, Counters
from controller.ports.data import DataCatalog, SourceHealth, SourceHints
from controller.ports.decisions import DecisionLog
from controller.ports.delivery import Outbox
from controller.ports.figures import FigureRepository
from controller.ports.leases import Leases
from controller.ports.notices import DeliveryRepository, SilenceRepository
from controller.ports.people import (
    CommentRepository,
    DelegationRepository,
    NonceRepository,
    TokenRepository,
)
from controller.ports.publication import PublicationRepository
from controller.ports.registry import FactLog, ModelRepository, Registry
from controller.ports.rules import ReviewRepository, RuleStore, Schedules
from controller.ports.runs import RunJournal, RunStore, WorkerRepository
from controller.ports.signals import SignalInbox
from controller.ports.use import (
    AliasRepository,
    ConsumerRepository,
    MeasureRepository,
    NoteRepository,
    RetentionHoldRepository,
)


class Transaction(Protocol):
    """All books at once. Leaving the block normally commits, an exception rolls back."""

    @property
    def signals(self) -> SignalInbox: ...
    @property
    def decisions(self) -> DecisionLog: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def facts(self) -> FactLog: ...
    @property
    def models(self) -> ModelRepository: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def data(self) -> DataCatalog: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def rules(self) -> RuleStore: ...
    @property
    def sources(self) -> SourceHealth: ...

    @property
    def hints(self) -> SourceHints: ...
    @property
    def reviews(self) -> ReviewRepository: ...
    @property
    def journal(self) -> RunJournal: ...
    @property
    def workers(self) -> WorkerRepository: ...
    @property
    def tokens(self) -> TokenRepository: ...
    @property
    def nonces(self) -> NonceRepository: ...
    @property
    def delegations(self) -> DelegationRepository: ...
    @property
    def comments(self) -> CommentRepository: ...
    @property
    def deliveries(self) -> DeliveryRepository: ...
    @property
    def silences(self) -> SilenceRepository: ...
    @property
    def figures(self) -> FigureRepository: ...
    @property
    def controllers(self) -> ControllerRepository: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def free(self) -> FreeModelRepository: ...
    @property
    def aliases(self) -> AliasRepository: ...
    @property
    def consumers(self) -> ConsumerRepository: ...
    @property
    def keeps(self) -> RetentionHoldRepository: ...
    @property
    def notes(self) -> NoteRepository: ...
    @property
    def publications(self) -> PublicationRepository: ...
    @property
    def measures(self) -> MeasureRepository: ...


class Store(Protocol):
    """The database."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A read-write transaction. SQLite: BEGIN IMMEDIATE. PostgreSQL: READ COMMITTED with compare-and-set."""
        ...

    def read(self, *, snapshot: bool = True) -> AbstractContextManager[Transaction]:
        """A transaction that only reads and blocks no writer.

        With ``snapshot=False`` each statement may see what was committed since the one before: for a single look
        that must not cost three round trips.
        """
        ...

    def close(self) -> None: ...
