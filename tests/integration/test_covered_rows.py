"""`verify` vouches for signals, answers, approvals and comments too: each row is edited and deleted by plain SQL."""

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
from controller.entrypoints.cli.session import Session
from controller.ports import Comment
from controller.rulefmt import load
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
            guards = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in file.execute(guards).fetchall():
                file.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                file.execute(statement)

    def store(self, keys: SigningKeys | None = KEYS) -> SqlStore:
        return SqlStore(self.url, None, keys)

    def run(self, *words: str, keys: SigningKeys | None = KEYS) -> Result:
        store = self.store(keys)
        session = Session(given=store, parse=load)
        session.settings = load_settings(actor="ana")
        try:
            return CliRunner().invoke(main, list(words), obj=session)
        finally:
            store.close()


def tell(url: str) -> None:
    """A champion by its gates, one by ana's approval, a comment, and a decision that covers it."""
    store = SqlStore(url, None, KEYS)
    desk = Desk(house=House(given=store))
    desk.enforce(ASKS)
    desk.house.data(30_000, "jan")
    desk.house.work()
    desk.house.clock.advance(timedelta(days=28))
    desk.house.data(30_000, "feb")
    desk.house.work(UNDECIDED)
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
    desk.run("approve", MODEL, "2", "--reason", "looks right", "--yes")
    assert desk.house.champion == 2
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


def test_what_was_told_is_as_it_was(copied: Told):
    found = copied.run("verify", "--all")
    assert found.exit_code == 0, found.output
    assert "covered from decision 1 on" in found.output
    assert "1 comments wait for the next decision" in found.output


FORGED = (
    "INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload, status, reason, decision)"
    " SELECT 'forged', model, 'rollback', 'person:ana', occurred_at, received_at, '{}', 'skipped', 'never mind', 3"
    " FROM signals WHERE id = 1"
)
APPROVED = "WHERE kind = 'approval'"
TAMPERED = {
    "what a signal says": (f"UPDATE signals SET payload = '{{}}' {APPROVED}", "signal 7", "was changed"),
    "who said it": (f"UPDATE signals SET actor = 'person:eve' {APPROVED}", "signal 7", "was changed"),
    "a mark": (f"UPDATE signals SET mark = 'x' {APPROVED}", "signal 7", "was changed"),
    "what nobody said": ("UPDATE signals SET key = 'x' WHERE id = 1", "signal 1", "was changed"),
    "a signal that is gone": (f"DELETE FROM signals {APPROVED}", "signal 7", "is gone"),
    "an answer": (f"UPDATE signals SET reason = 'x' {APPROVED}", "answer to signal 7", "was changed"),
    "another answer": (f"UPDATE signals SET status = 'skipped' {APPROVED}", "answer to signal 7", "was changed"),
    "the answer of another decision": (
        f"UPDATE signals SET decision = 1 {APPROVED}", "answer to signal 7", "was changed",
    ),
    "an answer that nobody gave": (FORGED, "an answer to signal", "made up"),
    "an approval": ("UPDATE approvals SET actor = 'person:eve'", "fact of", "missing or changed"),
    "an approval that is gone": ("DELETE FROM approvals", "fact of", "missing or changed"),
    "an approval that nobody gave": (
        "INSERT INTO approvals (model, version, actor, agrees, evidence, reason, at, decision, word)"
        " SELECT model, 1, 'person:eve', agrees, evidence, reason, at, decision, word FROM approvals",
        "holds a fact", "did not make it",
    ),
    "a comment": ("UPDATE comments SET text = 'fine!' WHERE key = 'c2'", "comment 2", "was changed"),
    "who commented": ("UPDATE comments SET actor = 'person:eve' WHERE key = 'c1'", "comment 1", "was changed"),
    "a comment that is gone": ("DELETE FROM comments WHERE key = 'c1'", "comment 1", "is gone"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "what", "how"), TAMPERED.values(), ids=TAMPERED.keys())
def test_verify_names_what_was_tampered_with(copied: Told, statement: str, what: str, how: str):
    copied.sql(statement)
    found = copied.run("verify", "--all")
    assert found.exit_code == 1, found.output
    assert what in found.output
    assert how in found.output
    assert "ecision" in found.output


def test_without_the_key_verify_says_what_it_could_not_check(copied: Told):
    found = copied.run("verify", "--all", keys=SigningKeys(["another" * 5]))
    assert found.exit_code == 0, found.output
    assert "The marks of 1 signals could not be checked" in found.output


CUT = (
    "DELETE FROM comments",
    "DELETE FROM approvals",
    "UPDATE signals SET status = 'open', decision = NULL, reason = '' WHERE decision >= {last}",
    "DELETE FROM version_facts WHERE decision >= {last}",
    "DELETE FROM reigns WHERE decision >= {last}",
    "DELETE FROM decisions WHERE id >= {last}",
    "UPDATE chain_head SET decision = {last} - 1, hash = (SELECT hash FROM decisions WHERE id = {last} - 1)",
)


def test_a_tail_that_was_cut_is_said_without_an_anchor(
    copied: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INCUMBENT_ANCHOR_KEY", "a key that the database never sees")
    assert copied.run("anchor", "--file", str(tmp_path / "anchors")).exit_code == 0
    (tmp_path / "anchors").unlink()
    with copied.store().read() as tx:
        last, _ = tx.decisions.head()
    copied.sql(*(statement.format(last=last) for statement in CUT))
    found = copied.run("verify", "--all")
    assert found.exit_code == 1
    assert f"Decision {last} was anchored, and the log ends at {last - 1}" in found.output
