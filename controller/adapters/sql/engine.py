"""Makes engines: the settings on which durability and order rest, each with its reason."""

from __future__ import annotations

import os
import select
import sqlite3
import time
import weakref
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from controller.domain.errors import ConfigurationError

BUSY_SECONDS = 10
"""How long a statement waits for a lock of another process before it gives up."""

_REST_SECONDS = 1.0
"""How long a connection may have rested and still be trusted without a question to the server."""

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}


def read_url(text: str) -> URL:
    """A database URL, with the driver that we use filled in; ConfigurationError if it is none of ours."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # What was given is not repeated: it may hold a password.
        raise ConfigurationError(
            "The database setting is no URL.",
            hint="Write sqlite:///path/to/file.db or postgresql://user:password@host:5432/name.",
        ) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in set(_DRIVERS.values()):
        raise ConfigurationError(
            f"A database of kind {url.drivername} is not supported.",
            hint="Use sqlite:/// or postgresql://.",
        )
    if is_sqlite(url) and (not url.database or url.database == ":memory:"):
        raise ConfigurationError(
            "A database in memory cannot be shared by processes.",
            hint="Name a file: sqlite:///path/to/file.db.",
        )
    if not is_sqlite(url):
        _need_psycopg()
    return url


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "PostgreSQL needs the driver psycopg, which is not installed.",
            hint="Run: pip install 'incumbent[postgres]'.",
        ) from None


def is_sqlite(url: URL) -> bool:
    """Whether ``url`` names a SQLite file."""
    return url.get_backend_name() == "sqlite"


def name_of(url: URL) -> str:
    """How messages call the database: without its password and without options."""
    if is_sqlite(url):
        return str(url.database or "in memory")
    port = f":{url.port}" if url.port else ""
    return f"{url.database or '(default)'} on {url.host or 'localhost'}{port}"


def make_engine(url: URL, *, begin: str = "BEGIN IMMEDIATE", read_only: bool = False) -> Engine:
    """An engine for ``url``. ``begin`` and ``read_only`` concern SQLite, which has an engine for each role."""
    engine = _sqlite(url, begin, read_only=read_only) if is_sqlite(url) else _postgres(url)
    forget_after_fork(engine)
    return engine


def _sqlite(url: URL, begin: str, *, read_only: bool) -> Engine:
    # One writer at a time is SQLite's rule, so one connection writes; readers get a handful.
    sizes = (
        {"pool_size": 5, "max_overflow": 10} if read_only else {"pool_size": 1, "max_overflow": 0}
    )
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
        **sizes,
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # The driver begins no transaction of its own accord: it would begin a deferred one, and a deferred
        # transaction that reads and then writes fails when another one wrote between.
        connection.isolation_level = None
        _set_pragmas(connection, read_only=read_only)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _set_pragmas(connection: Any, *, read_only: bool) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    _enter_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power loss
    cursor.execute("PRAGMA foreign_keys = ON")
    if read_only:
        cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _enter_wal(cursor: Any) -> None:
    """Readers and the writer don't block each other. The busy timeout does not cover this one change of mode."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            cursor.fetchall()
            return


def _postgres(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=5,
        max_overflow=10,
        pool_timeout=BUSY_SECONDS,
        isolation_level="READ COMMITTED",  # compare-and-set does the rest
        connect_args={
            "connect_timeout": 5,
            "application_name": "incumbent",
            "keepalives_idle": 10,  # a peer that vanished is noticed
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # A process that was stopped in the middle of a transaction must not hold its locks for ever.
        connection.autocommit = True
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false),"
            f" set_config('lock_timeout', '{BUSY_SECONDS}s', false),"
            " set_config('idle_in_transaction_session_timeout', '15s', false),"
            " set_config('timezone', 'UTC', false)"
        )
        connection.autocommit = False

    _ping_after_rest(engine)
    return engine


def _ping_after_rest(engine: Engine) -> None:
    """A restarted server costs a reconnect, not an error.

    SQLAlchemy's own ``pool_pre_ping`` asks the server each time: one round trip of the four of a short read. A server
    that ends says so on the socket, so that a connection which nobody spoke to and which was used a moment ago is good.
    """
    import psycopg

    @event.listens_for(engine, "checkin")
    def rests(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wakes(connection: Any, record: Any, _fairy: object) -> None:
        since = record.info.pop("rests_since", None)
        if since is None:
            return  # it was made a moment ago
        if time.monotonic() - since < _REST_SECONDS and not _spoken_to(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def _spoken_to(connection: Any) -> bool:
    """Whether the server has said something unasked, or has hung up."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def forget_after_fork(engine: Engine) -> None:
    """A forked child makes connections of its own and leaves its parent's alone."""
    reference = weakref.ref(engine)

    def in_child() -> None:
        alive = reference()
        if alive is not None:
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=in_child)
