"""An upgrade that is killed in the middle leaves the database as it was, and the next start finishes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from controller.adapters.sql.engine import make_engine, read_url
from controller.adapters.sql.schema import HEAD, migrate, revision
from controller.adapters.sql.tables import metadata
from tests.support.postgres import PostgresServer

KILLED = """
import os, sys
from sqlalchemy import Engine, event
from controller.adapters.sql.schema import migrate

left = int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left == 0:
        os._exit(137)

migrate(sys.argv[1])
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> Iterator[str]:
    """A database before its first migration."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.mark.parametrize(
    "statements", [12, 60, 150], ids=lambda number: f"after {number} statements"
)
def test_the_next_start_finishes_what_was_killed(old_url: str, statements: int):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, old_url, str(statements)], capture_output=True, check=False
    )
    assert killed.returncode == 137, killed.stderr
    engine = make_engine(read_url(old_url))
    assert revision(engine) is None
    assert migrate(old_url)
    assert revision(engine) == HEAD
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
