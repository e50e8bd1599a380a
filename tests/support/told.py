"""A database in which people said something, on SQLite and PostgreSQL, and plain SQL past every guard."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from controller.adapters.sql.store import SqlStore
from controller.domain.marks import SigningKeys
from controller.entrypoints.cli.main import main
from controller.entrypoints.cli.session import CliSession
from controller.ports import Comment
from controller.rulefmt import load_policy
from controller.settings import load_settings
from tests.support.command import POLICY, Desk
from tests.support.house import MODEL, START, UNDECIDED, House
from tests.support.postgres import PostgresServer

ASKS = POLICY + "approval: {when: inconclusive, from: [leads]}\n"
KEY = "k" * 32
KEYS = SigningKeys([KEY])


@dataclass(frozen=True)
class Told:
    """A database in which something was told, and how it is copied and reached."""

    kind: str
    url: str
    server: PostgresServer | None = None

    def copy(self, folder: Path) -> Told:
        if self.server is not None:
            return Told(
                self.kind,
                self.server.url(self.server.create(self.url.rsplit("/", 1)[1])),
                self.server,
            )
        shutil.copyfile(self.url.removeprefix("sqlite:///"), folder / "copy.db")
        return Told(self.kind, f"sqlite:///{folder / 'copy.db'}")

    def sql(self, *statements: str) -> None:
        """Past every guard, as the owner of the database can."""
        if self.kind == "postgresql":
            with psycopg.connect(self.url) as session:
                session.execute(b"SET session_replication_role = replica")
                for statement in statements:
                    session.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file, file:
            guards = file.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in guards:
                file.execute(f"DROP TRIGGER {name}")
            for statement in (*statements, *(text for _, text in guards)):
                file.execute(statement)

    def store(self, keys: SigningKeys | None = KEYS) -> SqlStore:
        return SqlStore(self.url, None, keys)

    def run(self, *words: str, keys: SigningKeys | None = KEYS) -> Result:
        store = self.store(keys)
        session = CliSession(given=store, parse=load_policy)
        session.settings = load_settings(actor="ana")
        try:
            return CliRunner().invoke(main, list(words), obj=session)
        finally:
            store.close()


def tell(url: str) -> None:
    """A champion by its gates, one by ana's approval, a comment, and a decision that covers it."""
    store = SqlStore(url, None, KEYS)
    app_context = Desk(house=House(given=store))
    app_context.enforce(ASKS)
    app_context.house.data(30_000, "jan")
    app_context.house.work()
    app_context.house.clock.advance(timedelta(days=28))
    app_context.house.data(30_000, "feb")
    app_context.house.work(UNDECIDED)
    with store.begin() as tx:
        for number in (1, 2):
            said = Comment(
                subject=f"version:{MODEL}/2",
                actor="person:bo",
                at=START,
                text="why?",
                key=f"c{number}",
            )
            tx.comments.add(said)
    app_context.run("approve", MODEL, "2", "--reason", "looks right", "--yes")
    assert app_context.house.champion == 2
    with store.begin() as tx:
        tx.comments.add(
            Comment(subject="decision:1", actor="person:bo", at=START, text="later", key="c3")
        )
    store.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def told(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    postgres_server: PostgresServer,
    postgres_template: str,
) -> Told:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("told") / "incumbent.db"
        shutil.copyfile(sqlite_template, path)
        found = Told(request.param, f"sqlite:///{path}")
    else:
        url = postgres_server.url(postgres_server.create(postgres_template))
        found = Told(request.param, url, postgres_server)
    tell(found.url)
    return found


@pytest.fixture
def copied(told: Told, tmp_path: Path) -> Iterator[Told]:
    copy = told.copy(tmp_path)
    yield copy
    if copy.server is not None:
        copy.server.drop(copy.url.rsplit("/", 1)[1])
