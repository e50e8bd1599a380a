"""A SQLite database in memory: every table, index and guard that a file has, and one connection.

Alembic makes the tables once in a process; each database is a copy of that one, which takes a millisecond.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from sqlalchemy import Engine, StaticPool, create_engine, event
from sqlalchemy.engine import Connection

from controller.adapters.sql.schema import bring_up_to_date

_MIGRATING = threading.Lock()


def memory_engines() -> tuple[Engine, Engine]:
    """Who writes and who reads: one connection to a migrated database of its own, which ends with it."""
    with _MIGRATING:  # Alembic is not made for two threads
        template = _template()
    engine = _empty()
    with engine.connect() as connection:
        _driver(connection).deserialize(template)
    return engine, engine.execution_options(reads=True)


@cache
def _template() -> bytes:
    engine = _empty()
    bring_up_to_date(engine)
    with engine.connect() as connection:
        image: bytes = _driver(connection).serialize()
    engine.dispose()
    return image


def _empty() -> Engine:
    engine = create_engine(
        "sqlite+pysqlite://",
        hide_parameters=True,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = (
            None  # as in a file: the driver begins nothing of its own accord
        )
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reads = bool(connection.get_execution_options().get("reads"))
        connection.exec_driver_sql(f"PRAGMA query_only = {int(reads)}")
        connection.exec_driver_sql("BEGIN")

    return engine


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
