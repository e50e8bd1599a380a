"""What a broken database looks like from here: one sentence, no traceback, no SQL, no password."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from controller.adapters.sql import engine as engines
from controller.adapters.sql.engine import read_url
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.errors import (
    ConfigurationError,
    Conflict,
    DatabaseRefused,
    IncumbentError,
    StorageFull,
    Unavailable,
)
from controller.ports import Store
from tests.support.makers import AT, decide, new_signal, order
from tests.support.postgres import PostgresServer, free_port
from tests.support.stores import Bench

SECRET = "hunter2"


def append(store: Store, key: str = "k") -> None:
    with store.begin() as tx:
        tx.signals.append([new_signal(key)], AT)


def count(store: Store) -> int:
    with store.read() as tx:
        return tx.signals.count_waiting()


WRONG = {
    "no URL": (f"not a url {SECRET}", "is no URL"),
    "no number as port": (f"postgresql://a:{SECRET}@host:port/x", "is no URL"),
    "another database": (f"mysql://a:{SECRET}@host/x", "mysql is not supported"),
    "another driver": (f"postgresql+asyncpg://a:{SECRET}@host/x", "is not supported"),
    "in memory": ("sqlite://", "cannot be shared"),
    "in memory by name": ("sqlite:///:memory:", "cannot be shared"),
}


@pytest.mark.parametrize(("url", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_setting_that_is_no_database(url: str, words: str):
    with pytest.raises(ConfigurationError, match=words) as caught:
        SqlStore(url)
    assert SECRET not in caught.value.sentence()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_means_psycopg(scheme: str):
    assert read_url(f"{scheme}://a@host/x").drivername == "postgresql+psycopg"


def unreachable() -> dict[str, tuple[str, str]]:
    port = free_port()
    return {
        "refused": (f"postgresql://eve:{SECRET}@127.0.0.1:{port}/x", "connection was refused"),
        "no such host": (f"postgresql://eve:{SECRET}@nowhere.invalid/x", "host is unknown"),
        "no folder": (f"sqlite:////no/such/{SECRET[:0]}folder/x.db", "cannot be opened"),
    }


@pytest.mark.parametrize(("url", "words"), unreachable().values(), ids=unreachable().keys())
@pytest.mark.parametrize(
    "use", [migrate, lambda url: append(SqlStore(url))], ids=["migrate", "begin"]
)
def test_a_database_that_is_not_there(url: str, words: str, use):
    with pytest.raises(Unavailable, match=words) as caught:
        use(url)
    assert SECRET not in caught.value.sentence()
    assert "INSERT" not in caught.value.sentence()


def test_no_such_database(postgres_server: PostgresServer):
    with pytest.raises(Unavailable, match="does not exist"):
        migrate(postgres_server.url("no_such_database"))


def test_a_file_that_is_no_database(tmp_path: Path):
    path = tmp_path / "x.db"
    path.write_text("these are not the bytes of a database, but a sentence\n" * 100)
    with pytest.raises(Unavailable, match="no whole SQLite database"):
        migrate(f"sqlite:///{path}")


def test_a_database_that_was_not_migrated(tmp_path: Path):
    store = SqlStore(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(DatabaseRefused, match="not migrated"):
        append(store)
    store.close()


def test_a_reader_does_not_write(database: Bench):
    with pytest.raises(Unavailable, match="read-only"), database.store.read() as tx:
        tx.signals.append([new_signal()], AT)


def test_locked_by_another_process(sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0)
    store = SqlStore(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another process"):
        append(store)
    assert count(store) == 0
    other.execute("ROLLBACK")
    append(store)
    assert count(store) == 1
    store.close()
    other.close()


def test_a_full_disk_and_room_again(sqlite_url: str):
    store = SqlStore(sqlite_url)

    @event.listens_for(store._engines.writer, "connect")
    def fill(connection, _):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")

    append(store, "before")
    with pytest.raises(StorageFull, match="is full") as caught, store.begin() as tx:
        decide(tx)
        for n in range(10):
            tx.signals.append([new_signal(f"{n}", payload={"data": "y" * 100_000})], AT)
    assert "INSERT" not in caught.value.sentence()
    with store.read() as tx:
        assert tx.decisions.head()[0] == 0
    append(store, "after")
    assert count(store) == 2
    store.close()


def test_a_failure_that_was_swallowed_commits_nothing(database: Bench):
    with pytest.raises(Conflict, match="broken off before"), database.store.begin() as tx:
        decide(tx)
        with pytest.raises(Conflict, match="refused the write"):
            order(tx, decision=99)
    with database.store.read() as tx:
        assert tx.decisions.head()[0] == 0


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_a_server_that_goes_and_comes_back(own_server: PostgresServer):
    url = own_server.url(own_server.create())
    migrate(url)
    store = SqlStore(url)
    append(store, "before")
    own_server.stop(signal.SIGQUIT)  # no goodbye to anybody
    with pytest.raises(Unavailable):
        append(store, "lost")
    own_server.start()
    assert count(store) == 1
    append(store, "after")
    assert count(store) == 2
    store.close()


def test_a_connection_that_is_cut_in_the_middle(postgres_url: str):
    store = SqlStore(postgres_url)
    with pytest.raises(Unavailable, match="lost"), store.begin() as tx:
        decide(tx)
        with psycopg.connect(postgres_url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'incumbent' AND datname = current_database()"
            )
        tx.signals.append([new_signal()], AT)
    with store.read() as tx:
        assert tx.decisions.head()[0] == 0
    append(store)
    assert count(store) == 1
    store.close()


def test_a_connection_that_was_cut_while_it_rested(postgres_url: str):
    """A moment ago it was good, and nobody asked the server since: the socket says that it hung up."""
    store = SqlStore(postgres_url)
    append(store, "before")
    with psycopg.connect(postgres_url) as other:
        cut = other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'incumbent' AND datname = current_database()"
        ).fetchall()
    assert cut == [(True,)]
    assert count(store) == 1
    append(store, "after")
    store.close()


def test_a_connection_that_rested_is_asked_whether_it_is_good(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    """What cuts a connection between the two says nothing to either."""
    monkeypatch.setattr(engines, "_REST_SECONDS", 0.0)
    monkeypatch.setattr(engines, "_spoken_to", lambda _: False)
    store = SqlStore(postgres_url)
    append(store, "before")
    with psycopg.connect(postgres_url) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'incumbent' AND datname = current_database()"
        )
    append(store, "after")
    assert count(store) == 2
    store.close()


def test_a_session_that_was_read_only_is_thrown_away(postgres_server: PostgresServer):
    """It took that over when it connected, and would keep it when the database has changed back."""
    name = postgres_server.create()
    migrate(postgres_server.url(name))
    default = f"ALTER DATABASE {name} SET default_transaction_read_only = "
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as other:
        other.execute((default + "on").encode())
        store = SqlStore(postgres_server.url(name))
        with pytest.raises(Unavailable, match="is read-only"):
            append(store)
        other.execute((default + "off").encode())
    append(store)
    store.close()
    postgres_server.drop(name)


def test_a_row_that_somebody_holds(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    store = SqlStore(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM chain_head FOR UPDATE")
        with pytest.raises(Unavailable, match="locked by another process"), store.begin() as tx:
            decide(tx)
    store.close()


def _append_in_child(store: SqlStore, key: str) -> None:
    try:
        append(store, key)
        os._exit(0)
    except IncumbentError:
        os._exit(1)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(database: Bench):
    append(database.store, "parent")
    with database.store.begin() as tx:  # the parent's lock is held while it forks
        tx.signals.append([new_signal("open")], AT)
        if database.kind == "postgresql":
            _fork(database)
    if database.kind == "sqlite":
        _fork(database)
    append(database.store, "parent again")
    assert count(database.store) == 4


def _fork(database: Bench) -> None:
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_append_in_child, args=(database.store, "child"))
    child.start()
    child.join(30)
    assert child.exitcode == 0


def test_settings_of_sqlite(sqlite_url: str):
    store = SqlStore(sqlite_url)
    for engine in (store._engines.writer, store._engines.reader):
        with engine.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in (
                    "journal_mode",
                    "synchronous",
                    "foreign_keys",
                    "busy_timeout",
                    "query_only",
                )
            }
        assert found == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 10_000,
            "query_only": int(engine is store._engines.reader),
        }
    store.close()


def test_settings_of_postgresql(postgres_url: str):
    store = SqlStore(postgres_url)
    with store.begin() as tx:
        found = [
            tx.session.connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "synchronous_commit",
                "transaction_isolation",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]
    assert found == ["on", "read committed", "10s", "15s"]
    store.close()
