"""On PostgreSQL the application works under a role that owns nothing, and can take no guard away."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.grants import grant_statements
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.use import Consumer
from controller.domain.versions import VersionState
from controller.ports import Store, Tag
from tests.support.makers import AT, HOUR, MODEL, batch, enter, move, new_signal, order, seat
from tests.support.postgres import PostgresServer

ROLE = "incumbent_app"


@pytest.fixture
def url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A database of its own, as the application's role sees it; the role is there once a server."""
    name = postgres_server.create(postgres_template)
    owner = postgres_server.url(name)
    with psycopg.connect(owner, autocommit=True) as session:
        known = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone()
        if known is None:
            session.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        for statement in grant_statements(ROLE):
            session.execute(statement.encode())
    scheme, rest = owner.split("://", 1)
    yield f"{scheme}://{ROLE}@{rest.split('@', 1)[1]}"
    with psycopg.connect(owner, autocommit=True) as session:
        session.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(ROLE)))


def live(store: Store) -> None:
    """A little of everything that a controller, a worker and the API write."""
    with store.begin() as tx:
        for number in (1, 2):
            enter(tx, number)
        seat(tx, 1)
        seat(tx, 2, generation=1, previous=1)
        order(tx, 1)
        tx.signals.append([new_signal()], AT)
        tx.outbox.put("run", "x:0", {})
        tx.leases.acquire("model:m", "me", HOUR)
        tx.data.add(MODEL, [batch("a", "1")], AT)
        tx.consumers.renew(
            Consumer(
                model=MODEL,
                name="shop",
                version=2,
                selector="champion",
                since=AT,
                seen_at=AT,
                until=AT + HOUR,
            )
        )
        tx.notes.tag(Tag(model=MODEL, version=1, name="a", value="b", actor="ana", at=AT))
        assert tx.notes.untag(MODEL, 1, "a")
        move(tx, 1, VersionState.SUPERSEDED, VersionState.DEPRECATED)


def test_the_application_works_under_a_role_that_owns_nothing(url: str):
    assert migrate(url) is False
    store = SqlStore(url, SimulatedClock(AT))
    live(store)
    with store.read() as tx:
        assert tx.models.state(MODEL).champion == 2
    store.close()
    with psycopg.connect(url) as session:
        owned = session.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = %s",
            (ROLE,),
        ).fetchone()
    assert owned == (0,)


ATTEMPTS = {
    "drop a guard": "DROP TRIGGER guard_decisions_update ON decisions",
    "let a guard rest": "ALTER TABLE decisions DISABLE TRIGGER ALL",
    "let all guards rest": "SET session_replication_role = replica",
    "another body for a guard": (
        "CREATE OR REPLACE FUNCTION guard_refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NEW; END $$"
    ),
    "a table of one's own in the way": "CREATE TABLE public.decisions2 (id int)",
    "another shape": "ALTER TABLE decisions ADD COLUMN x int",
    "drop a table": "DROP TABLE version_facts CASCADE",
    "empty a table": "TRUNCATE decisions CASCADE",
    "change a decision": "UPDATE decisions SET actor = 'eve'",
    "delete a decision": "DELETE FROM decisions",
    "change a fact": "UPDATE version_facts SET actor = 'eve'",
    "delete a version": "DELETE FROM versions",
    "say that a migration was": "UPDATE alembic_version SET version_num = '0001'",
}


@pytest.mark.parametrize("statement", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_application_can_alter_nothing(url: str, statement: str):
    with psycopg.connect(url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.encode())


def test_each_table_is_granted(url: str):
    with psycopg.connect(url) as session:
        rows = session.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind = 'r'"
            " AND NOT has_table_privilege(current_user, c.oid, 'SELECT')"
        ).fetchall()
    assert rows == []
