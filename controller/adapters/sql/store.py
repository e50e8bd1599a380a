"""The SQL store: opens transactions on SQLite or PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from controller.adapters.clock import SystemClock
from controller.adapters.sql.catalog import SqlCatalog
from controller.adapters.sql.controllers import SqlControllers, SqlCounters
from controller.adapters.sql.data import SqlData
from controller.adapters.sql.decisions import SqlDecisions
from controller.adapters.sql.engine import BUSY_SECONDS, is_sqlite, make_engine, name_of, read_url
from controller.adapters.sql.errors import translate
from controller.adapters.sql.figures import SqlFigures
from controller.adapters.sql.free import SqlFreeModels
from controller.adapters.sql.in_memory import memory_engines
from controller.adapters.sql.journal import SqlJournal, SqlWorkers
from controller.adapters.sql.leases import SqlLeases
from controller.adapters.sql.measures import SqlMeasures
from controller.adapters.sql.models import SqlModels
from controller.adapters.sql.notes import SqlNotes
from controller.adapters.sql.notices import SqlDeliveries, SqlSilences
from controller.adapters.sql.outbox import SqlOutbox
from controller.adapters.sql.people import SqlComments, SqlDelegations, SqlNonces, SqlTokens
from controller.adapters.sql.publications import SqlPublications
from controller.adapters.sql.registry import SqlFacts, SqlRegistry
from controller.adapters.sql.reviews import SqlReviews
from controller.adapters.sql.rules import SqlRuleStore
from controller.adapters.sql.runs import SqlRuns
from controller.adapters.sql.schedules import SqlSchedules
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.signals import SqlSignals
from controller.adapters.sql.sources import SqlHints, SqlSources
from controller.adapters.sql.turns import Turns, turns_at
from controller.adapters.sql.use import SqlAliases, SqlConsumers, SqlKeeps
from controller.domain.errors import Unavailable
from controller.domain.marks import SigningKeys
from controller.ports import Clock


class SqlTransaction:
    """All books over one open transaction."""

    def __init__(self, session: SqlSession) -> None:
        self.session = session
        self.signals = SqlSignals(session)
        self.decisions = SqlDecisions(session)
        self.models = SqlModels(session)
        self.registry = SqlRegistry(session, self.models)
        self.facts = SqlFacts(session)
        self.runs = SqlRuns(session, self.models, self.signals)
        self.outbox = SqlOutbox(session)
        self.leases = SqlLeases(session)
        self.data = SqlData(session)
        self.schedules = SqlSchedules(session)
        self.rules = SqlRuleStore(session, self.models)
        self.journal = SqlJournal(session)
        self.workers = SqlWorkers(session)
        self.sources = SqlSources(session)
        self.hints = SqlHints(session)
        self.reviews = SqlReviews(session)
        self.tokens = SqlTokens(session)
        self.nonces = SqlNonces(session)
        self.delegations = SqlDelegations(session)
        self.comments = SqlComments(session)
        self.deliveries = SqlDeliveries(session)
        self.silences = SqlSilences(session)
        self.figures = SqlFigures(session)
        self.controllers = SqlControllers(session)
        self.counters = SqlCounters(session)
        self.catalog = SqlCatalog(session)
        self.free = SqlFreeModels(session)
        self.aliases = SqlAliases(session, self.models)
        self.consumers = SqlConsumers(session)
        self.keeps = SqlKeeps(session)
        self.notes = SqlNotes(session)
        self.publications = SqlPublications(session)
        self.measures = SqlMeasures(session)


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """Who writes, who reads a snapshot, and who looks at one thing; the turns that writers take, and readers."""

    writer: Engine
    reader: Engine
    looker: Engine
    writing: Turns | None = None
    reading: Turns | None = None

    @staticmethod
    def of(url: URL) -> Engines:
        """Those of a database that processes share."""
        writer = make_engine(url)
        if is_sqlite(url):
            # Threads queue in order and without polling; SQLite's own lock is for other processes.
            turns = turns_at(Path(url.database or ""))
            reader = make_engine(url, begin="BEGIN", read_only=True)
            return Engines(writer=writer, reader=reader, looker=reader, writing=turns)
        # One snapshot for all statements, as SQLite gives it.
        reader = writer.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        looker = writer.execution_options(isolation_level="AUTOCOMMIT")
        return Engines(writer=writer, reader=reader, looker=looker)

    @staticmethod
    def in_memory() -> Engines:
        """One connection does all: each transaction waits for the one before it."""
        writer, reader = memory_engines()
        turns = Turns()
        return Engines(writer=writer, reader=reader, looker=reader, writing=turns, reading=turns)


class SqlStore:
    """A database by URL, which must have been migrated (:func:`controller.adapters.sql.schema.migrate`).

    ``clock`` measures leases and letters on SQLite; PostgreSQL uses its own. With ``keys`` what people say is marked,
    and believed only with a good mark.
    """

    def __init__(
        self, url: str | Engines, clock: Clock | None = None, keys: SigningKeys | None = None
    ) -> None:
        self._engines = url if isinstance(url, Engines) else Engines.of(read_url(url))
        self._clock: Clock = clock or SystemClock()
        self._keys = keys
        self._secret = secrets.token_hex(32)

    @classmethod
    def in_memory(cls, clock: Clock | None = None, keys: SigningKeys | None = None) -> SqlStore:
        """A migrated SQLite database that only this object has, for simulations and tests; it ends with it."""
        return cls(Engines.in_memory(), clock, keys)

    @property
    def place(self) -> str:
        """The database's name for messages, without its password."""
        return name_of(self._engines.writer.url)

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        with (
            self._turn(self._engines.writing),
            self._transaction(self._engines.writer, writes=True) as transaction,
        ):
            yield transaction

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[SqlTransaction]:
        engine = self._engines.reader if snapshot else self._engines.looker
        with (
            self._turn(self._engines.reading),
            self._transaction(engine, writes=False) as transaction,
        ):
            yield transaction

    def close(self) -> None:
        self._engines.writer.dispose()
        self._engines.reader.dispose()

    @contextmanager
    def _turn(self, turns: Turns | None) -> Iterator[None]:
        if turns is None:
            yield
            return
        if not turns.acquire(BUSY_SECONDS):
            raise Unavailable(f"The database {self.place} is locked by another thread.")
        try:
            yield
        finally:
            turns.release()

    @contextmanager
    def _transaction(self, engine: Engine, *, writes: bool) -> Iterator[SqlTransaction]:
        try:
            with engine.connect() as connection, connection.begin():
                session = SqlSession(
                    connection=connection,
                    clock=self._clock,
                    place=self.place,
                    writes=writes,
                    secret=self._secret,
                    keys=self._keys,
                )
                yield SqlTransaction(session)
                if writes:
                    session.check_complete()
        except SQLAlchemyError as error:
            raise translate(error, self.place) from error
