"""What the state machines of Hypothesis share: two sessions on one real database, and transactions that break off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from controller.adapters.memory import SimulatedClock
from controller.adapters.sql.store import SqlStore
from controller.ports import Store, Transaction
from tests.support.postgres import PostgresServer
from tests.support.stores import START, Bench

SESSIONS = st.integers(0, 1)
BREAKS = st.sampled_from([False, False, False, False, True])


class BrokenOff(Exception):
    """The process died before its commit."""


class TwoSessions(RuleBasedStateMachine):
    """Two sessions on one database."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = self.make()
        self.stores: list[Store] = [self.bench.store, self.bench.again()]

    def make(self) -> Bench:
        """An empty database."""
        raise NotImplementedError

    def unmake(self) -> None:
        """The database is not used any more."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.unmake()

    def act(self, session: int, broken: bool, work: Callable[[Transaction], Any]) -> Any:
        """Do ``work`` in a transaction; None, and nothing done, if it is broken off before the commit."""
        result = None
        try:
            with self.stores[session].begin() as tx:
                result = work(tx)
                if broken:
                    raise BrokenOff  # noqa: TRY301 - it leaves the transaction and nothing else
        except BrokenOff:
            return None
        return result


class Player:
    """Runs a machine on one kind of database."""

    def __init__(
        self, kind: str, folder: Path, template: Path, server: PostgresServer, database: str
    ) -> None:
        self.kind = kind
        self._folder = folder
        self._template = template
        self._server = server
        self._database = database

    def _make(self) -> Bench:
        if self.kind == "postgresql":
            url = self._server.url(self._server.borrow(self._database))
        else:
            path = self._folder / "incumbent.db"
            shutil.copyfile(self._template, path)
            url = f"sqlite:///{path}"
        clock = SimulatedClock(START)
        return Bench(self.kind, SqlStore(url, clock), clock, url)

    def _unmake(self, bench: Bench) -> None:
        bench.close()
        if self.kind == "postgresql":
            self._server.give_back(bench.url.rsplit("/", 1)[1], self._database)
        else:
            for path in self._folder.glob("incumbent.db*"):
                path.unlink()

    def play(self, machine: type[TwoSessions]) -> None:
        """Twenty-five games on SQLite, eight on PostgreSQL, which is slower; always the same ones."""
        player = self

        class Machine(machine):  # type: ignore[valid-type,misc]
            def make(self) -> Bench:
                return player._make()

            def unmake(self) -> None:
                player._unmake(self.bench)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=25 if self.kind == "sqlite" else 8,
                stateful_step_count=50,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def player(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    sqlite_template: Path,
    postgres_server: PostgresServer,
    postgres_template: str,
) -> Player:
    """A player on each real database."""
    return Player(request.param, tmp_path, sqlite_template, postgres_server, postgres_template)
