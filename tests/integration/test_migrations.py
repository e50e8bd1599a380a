"""From every released schema, and the one before the first release, to the newest, while somebody writes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from controller.adapters.memory import MemoryDispatcher, SystemClock
from controller.adapters.sql.engine import make_engine, read_url
from controller.adapters.sql.guards import make_guards
from controller.adapters.sql.schema import ADOPTED, FIRST, HEAD, alembic_config, migrate
from controller.adapters.sql.store import SqlStore
from controller.bootstrap import parse_rules
from controller.domain.canonical import GENESIS
from controller.domain.runs import RunState
from controller.ports import Query
from controller.rulefmt import blob_id
from controller.service.deciding.engine import Engine
from controller.service.loops.relay_outbox import Relay
from controller.service.loops.rescue_runs import Rescuer
from tests.support.controllers import POLICY
from tests.support.postgres import PostgresServer

EARLIER = [
    ADOPTED,
    *sorted(
        script.revision
        for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
        if script.revision != HEAD
    ),
]
THEN = "2013-01-01T00:00:00.000000Z"
SPEC = (
    '{"kind":"train","model":"tick","data":{"source":"data/*.parquet","target":"y"},"data_through":0,'
    '"seed":1,"recipe":"tick","entrypoint":"tick:train","retries":1}'
)
BLOB = blob_id(POLICY.encode())
ROWS = (
    "INSERT INTO decisions (id, model, decided_at, verdict, path, blob, reviewers, snapshot, decision, actor,"
    f" prev_hash, hash) VALUES (1, 'tick', '{THEN}', 'train', 'rules/tick.yaml', '{BLOB}', '[]', '{{}}',"
    f" '{{\"verdict\":\"train\"}}', 'system', '{GENESIS}', '{'1' * 64}')",
    f"UPDATE chain_head SET decision = 1, hash = '{'1' * 64}' WHERE decision = 0",
    "INSERT INTO models (model) VALUES ('tick')",
    "INSERT INTO runs (id, model, number, kind, spec, retries, state, fence, attempt, ordered_at, decision)"
    f" VALUES ('tick.r1', 'tick', 1, 'train', '{SPEC}', 1, 'queued', 0, 0, '{THEN}', 1)",
    "UPDATE models SET next_run = 2 WHERE next_run = 1",
    "INSERT INTO outbox (topic, key, payload, due_at)"
    f" VALUES ('run', 'tick.r1:0', '{{\"queue\":\"default\",\"run\":\"tick.r1\"}}', '{THEN}')",
    f"INSERT INTO rule_texts (blob, text) VALUES ('{BLOB}', '{POLICY}')",
    "INSERT INTO active_rules (model, path, blob, reviewers, activated_at)"
    f" VALUES ('tick', 'rules/tick.yaml', '{BLOB}', '[]', '{THEN}')",
)
SIGNAL = (
    "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload)"
    " VALUES ('{key}', 'tick', 'schema_changed', 'system', '{then}', '{then}', '{{}}')"
)


class Old:
    """A program of the old version: it knows the tables of its day, and SQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.written = 0

    def connect(self) -> Any:
        if self.url.startswith("sqlite"):
            return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30)
        return psycopg.connect(self.url)

    def fill(self) -> None:
        with closing(self.connect()) as session:
            for statement in ROWS:
                session.execute(statement)
            session.commit()

    def write_until(self, ended: threading.Event) -> None:
        """One signal after the other, and a few more when the migration is over."""
        left = 3
        with closing(self.connect()) as session:
            while left:
                left -= ended.is_set()
                session.execute(SIGNAL.format(key=f"old-{self.written}", then=THEN))
                session.commit()
                self.written += 1
                ended.wait(0.002)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


def upgrade_to(url: str, revision: str) -> None:
    engine = make_engine(read_url(url))
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST if revision == ADOPTED else revision)
        make_guards(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    engine.dispose()


@pytest.mark.parametrize("revision", EARLIER)
def test_from_a_released_schema_while_somebody_writes(url: str, revision: str):
    upgrade_to(url, revision)
    old = Old(url)
    old.fill()
    ended, problems = threading.Event(), []

    def write() -> None:
        try:
            old.write_until(ended)
        except Exception as problem:  # noqa: BLE001 - raised again in the test's own thread
            problems.append(problem)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert migrate(url) is True
    finally:
        ended.set()
        writer.join(60)
    assert not problems
    assert migrate(url) is False
    _go_on(url, old.written, POLICY)


def _go_on(url: str, written: int, policy: str) -> None:
    """The new version answers every signal, rings for the run that waited, and takes it back when it is lost."""
    store = SqlStore(url, SystemClock())
    clock = SystemClock()
    parse: Callable[[str, str], Any] = parse_rules
    engine = Engine(store, clock, parse)
    # Each of these signals takes a decision, and one tick makes a hundred for a model.
    for _ in range(written // 100 + 1):
        engine.run_once()
    bells = MemoryDispatcher()
    Relay(store, bells).run_once()
    assert [ring.run for ring in bells.take()] == ["tick.r1"]
    with store.begin() as tx:
        found = tx.signals.find(Query(limit=100_000))
        assert len(found) == written >= 3
        assert all(signal.status.ended for signal in found), tx.models.state("tick").error
        run = tx.runs.claim("tick.r1", 0, worker="w", lease=timedelta(0))
        assert run
        assert (run.handed_back, run.format, run.spec.recipe) == (0, 1, "tick")
    assert Rescuer(store, clock).run_once().requeued == 1
    with store.read() as tx:
        again = tx.runs.get("tick.r1")
        assert again
        assert again.state is RunState.QUEUED
        active = tx.rules.active("tick")
        assert active
        assert active.text == policy
    store.close()
