"""The suite of registries, against a team's MLflow server: what is written by ours is read from theirs.

Writes go through our database, which fences them, and are published when the transaction has committed; versions and
reigns are read back from MLflow alone. Evaluations have no place there and stay with us.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from controller.adapters.memory import SimulatedClock
from controller.adapters.mlflow.client import MlflowServer as Client
from controller.adapters.mlflow.registry import MlflowTeamRegistry
from controller.adapters.sql.store import SqlStore
from controller.domain.evidence import Evaluation
from controller.domain.versions import Reign, Version, VersionState
from controller.ports import Store, Within
from controller.ports.publication import NewRemote, RemoteVersion
from controller.service.registry.mlflow.publish import PublishConfig, Publisher
from controller.service.registry.mlflow.records import version_from_tags
from tests.conformance import test_registry as suite
from tests.support.mlflow import MlflowServer
from tests.support.postgres import PostgresServer
from tests.support.reigns import reigns_of
from tests.support.stores import START

pytestmark = pytest.mark.long

_NAMES = itertools.count(1)


class Named:
    """A team's registry in which every test has models of its own: their names get a prefix."""

    def __init__(self, team: MlflowTeamRegistry, prefix: str) -> None:
        self.team, self.prefix, self.place = team, prefix, team.place

    def ensure_model(self, model: str, description: str) -> None:
        self.team.ensure_model(self.prefix + model, description)

    def find(self, model: str, tag: str, value: str) -> list[RemoteVersion]:
        return self.team.find(self.prefix + model, tag, value)

    def get(self, model: str, number: int) -> RemoteVersion | None:
        return self.team.get(self.prefix + model, number)

    def create(self, model: str, new: NewRemote) -> int:
        return self.team.create(self.prefix + model, new)

    def tag(self, model: str, number: int, key: str, value: str) -> None:
        self.team.tag(self.prefix + model, number, key, value)

    def point(self, model: str, alias: str, number: int) -> None:
        self.team.point(self.prefix + model, alias, number)

    def pointed(self, model: str, alias: str) -> RemoteVersion | None:
        return self.team.pointed(self.prefix + model, alias)


class ReadThere:
    """The reading half of a registry, from what stands at MLflow."""

    def __init__(self, team: Named, ours: Any) -> None:
        self._team, self._ours = team, ours

    def _there(self, model: str) -> list[RemoteVersion]:
        found: list[RemoteVersion] = []
        for number in itertools.count(1):
            remote = self._team.get(model, number)
            if remote is None:
                return found
            found.append(remote)
        raise AssertionError

    def versions(
        self,
        model: str,
        *,
        states: Collection[VersionState] | None = None,
        numbers: Collection[int] | None = None,
        within: Within | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        found = [version_from_tags(remote) for remote in reversed(self._there(model))]
        return [
            v
            for v in found
            if v is not None
            and (states is None or v.state in states)
            and (numbers is None or v.number in numbers)
            and (within is None or within.holds(v))
        ][:limit]

    def history(self, model: str, limit: int = 20) -> list[Reign]:
        return reigns_of(self._there(model))[:limit]

    def evaluations(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Evaluation]:
        found: Mapping[int, Evaluation] = self._ours.evaluations(model, numbers)
        return found

    def measured(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, float]]:
        judged = self.evaluations(model, numbers)
        return {
            v.number: {**v.metrics, **(judged[v.number].metrics if v.number in judged else {})}
            for v in self.versions(model, numbers=numbers)
        }


class Published:
    """A store whose registry is published after every commit, and read where it was published."""

    def __init__(self, inner: Store, team: Named, clock: SimulatedClock) -> None:
        self._inner, self._team, self._clock = inner, team, clock
        self._publisher = Publisher(inner, team, clock, PublishConfig(owner="suite"))

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with self._inner.begin() as tx:
            yield tx
        self._clock.advance(
            timedelta(minutes=1)
        )  # the suite moves versions without a decision of its own
        report = self._publisher.run_once()
        assert (report.failed, report.drifting) == (0, 0), [
            (row.error, row.drift) for row in self._rows()
        ]

    def _rows(self) -> Any:
        with self._inner.read() as tx:
            return tx.publications.all()

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Any]:
        with self._inner.read(snapshot=snapshot) as tx:
            tx.registry = ReadThere(self._team, tx.registry)  # type: ignore[misc, assignment]
            yield tx

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[MlflowServer]:
    """MLflow on each of the two databases."""
    database = ""
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        database = postgres.url(postgres.create())
    server = MlflowServer(database)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def store(server: MlflowServer, sqlite_url: str) -> Iterator[Store]:
    """Our database is SQLite here; the suite of its own runs on both."""
    clock = SimulatedClock(START)
    team = Named(MlflowTeamRegistry(Client(server.place, timeout=120)), f"t{next(_NAMES)}-")
    store = Published(SqlStore(sqlite_url, clock), team, clock)
    yield store
    store.close()


for _name, _test in vars(suite).items():
    if _name.startswith("test_"):
        globals()[_name] = _test
