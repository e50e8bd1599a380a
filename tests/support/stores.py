"""Stores for tests: ``store`` runs a test on memory, SQLite and PostgreSQL; ``database`` on the two real ones.

A :class:`Bench` is a store with its surroundings: how time passes for it, how plain SQL reaches it, and its URL.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controller.adapters.memory import MemoryStore, SimulatedClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.ports import Clock, Store
from tests.support.postgres import PostgresServer

START = datetime(2013, 1, 1, tzinfo=UTC)
KINDS = ("memory", "sqlite", "postgresql")


def set_back(dsn: str, by: timedelta) -> None:
    """Set back all that PostgreSQL's own clock measures: the same as if its clock had gone on."""
    with psycopg.connect(dsn) as session:
        for table, column in (("runs", "lease_until"), ("leases", "until"), ("outbox", "due_at")):
            where = " WHERE lease_until IS NOT NULL" if table == "runs" else ""
            session.execute(
                f"UPDATE {table} SET {column} = {column} - interval '{by}'{where}".encode()
            )


class ServerStore(SqlStore):
    """A store on PostgreSQL for a simulated world, whose clock it follows."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url, clock)
        self._dsn = url

    def pass_time(self, by: timedelta) -> None:
        """The world's clock went on."""
        set_back(self._dsn, by)


@dataclass
class Bench:
    """A store under test. ``url`` is empty for memory."""

    kind: str
    store: Store
    clock: SimulatedClock
    url: str = ""
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def pass_time(self, by: timedelta) -> None:
        """Let the store's own clock go on, without waiting."""
        self.clock.advance(by)
        if self.kind == "postgresql":
            set_back(self.dsn, by)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run plain SQL past our code, as somebody else's program would, and commit."""
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.path)
            try:
                rows = connection.execute(statement).fetchall()
                connection.commit()
            finally:
                connection.close()
            return rows
        with psycopg.connect(self.dsn) as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def attempt(self, statement: str) -> str:
        """Try plain SQL and take it back: what the database said against it, empty if it let it pass."""
        session = sqlite3.connect(self.path) if self.kind == "sqlite" else psycopg.connect(self.dsn)
        try:
            session.execute(statement)
        except (sqlite3.Error, psycopg.Error) as refusal:
            return str(refusal).splitlines()[0]
        finally:
            session.rollback()
            session.close()
        return ""

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def dsn(self) -> str:
        """What psycopg takes."""
        return self.url

    def again(self) -> Store:
        """A second store on the same database, as another process has it."""
        other = SqlStore(self.url, self.clock)
        self._closing.append(other.close)
        return other

    def close(self) -> None:
        """Close every store."""
        for close in (*self._closing, self.store.close):
            close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of the session."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database to copy."""
    name = postgres_server.create()
    migrate(postgres_server.url(name))
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    name = postgres_server.borrow(postgres_template)
    yield postgres_server.url(name)
    postgres_server.give_back(name, postgres_template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file to copy."""
    path = tmp_path_factory.mktemp("template") / "incumbent.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of a migrated, empty database file of the test's own."""
    path = tmp_path / "incumbent.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


def _bench(kind: str, request: pytest.FixtureRequest) -> Iterator[Bench]:
    clock = SimulatedClock(START)
    if kind == "memory":
        yield Bench(kind, MemoryStore(clock), clock)
        return
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    bench = Bench(kind, SqlStore(url, clock), clock, url)
    yield bench
    bench.close()


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A store of each kind, with its surroundings."""
    yield from _bench(request.param, request)


@pytest.fixture(params=KINDS[1:])
def database(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A store on each real database."""
    yield from _bench(request.param, request)


@pytest.fixture
def store(bench: Bench) -> Store:
    """A store of each kind."""
    return bench.store
