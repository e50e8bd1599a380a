"""The database: all books in one transaction."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from controller.ports.data import DataCatalog, SourceHealth
from controller.ports.decisions import DecisionLog
from controller.ports.delivery import Outbox
from controller.ports.leases import Leases
from controller.ports.notices import DeliveryBook, SilenceBook
from controller.ports.people import CommentBook, TokenBook
from controller.ports.registry import FactLog, ModelBook, Registry
from controller.ports.rules import ReviewBook, RuleStore, Schedules
from controller.ports.runs import RunJournal, RunStore, WorkerBook
from controller.ports.signals import SignalInbox


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
    def models(self) -> ModelBook: ...
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
    def reviews(self) -> ReviewBook: ...
    @property
    def journal(self) -> RunJournal: ...
    @property
    def workers(self) -> WorkerBook: ...
    @property
    def tokens(self) -> TokenBook: ...
    @property
    def comments(self) -> CommentBook: ...
    @property
    def deliveries(self) -> DeliveryBook: ...
    @property
    def silences(self) -> SilenceBook: ...


class Store(Protocol):
    """The database."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A read-write transaction. SQLite: BEGIN IMMEDIATE. PostgreSQL: READ COMMITTED with compare-and-set."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads and blocks no writer."""
        ...

    def close(self) -> None: ...
