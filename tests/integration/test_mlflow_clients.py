"""MLflow's own client, unchanged: against our registry, and against a team's server to which we publish."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from controller.adapters.artifacts import LocalArtifacts
from controller.adapters.clock import SystemClock
from controller.adapters.mlflow.client import MlflowServer as Client
from controller.adapters.mlflow.registry import MlflowTeamRegistry
from controller.adapters.sql.store import SqlStore
from controller.domain.decisions import RegisterVersion, RulesRef
from controller.domain.publication import Publication
from controller.entrypoints.api.serve import Server
from controller.ports import ActiveRules
from controller.rulefmt import blob_id, load_policy
from controller.service.deciding.engine import Engine
from controller.service.registry.mlflow.package import Packer
from controller.service.registry.mlflow.publish import PublishConfig, Publisher, PublishReport
from controller.settings import load_settings
from tests.support.command import PATH, POLICY
from tests.support.makers import AT, MODEL, decide, seat
from tests.support.mlflow import MlflowServer
from tests.support.waiting import until

pytestmark = pytest.mark.long

OURS = """
import sys, mlflow, pandas
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

url, name = sys.argv[1:]
mlflow.set_tracking_uri("sqlite:///runs.db")
mlflow.set_registry_uri(url)
client = MlflowClient(registry_uri=url)
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
print(list(model.predict(pandas.DataFrame({"distance": [1, 2], "noise": [0, 0]}))))
print([(v.version, v.current_stage) for v in client.search_model_versions(f"name = '{name}'")])
client.set_model_version_tag(name, "1", "team", "x")
print(client.get_model_version(name, "1").tags["team"])
for refused in (
    lambda: client.set_registered_model_alias(name, "champion", "1"),
    lambda: client.delete_model_version(name, "1"),
    lambda: client.delete_registered_model(name),
):
    try:
        refused()
    except MlflowException as error:
        print(error.error_code, "`" + str(error).split("`")[1] + "`" if "`" in str(error) else error)

class Doubles(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * value for value in model_input["distance"]]

with mlflow.start_run():
    logged = mlflow.pyfunc.log_model(name="doubles", python_model=Doubles())
version = mlflow.register_model(logged.model_uri, "free-one")
print(version.version, version.source.split("-")[0])
client.set_registered_model_alias("free-one", "blue", version.version)
free = mlflow.pyfunc.load_model("models:/free-one@blue")
print(free.predict(pandas.DataFrame({"distance": [4]})))
"""

THEIRS = """
import sys, mlflow, pandas
from mlflow import MlflowClient

url, name = sys.argv[1:]
mlflow.set_tracking_uri(url)
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
print(list(model.predict(pandas.DataFrame({"distance": [1, 2]}))))
champion = MlflowClient().get_model_version_by_alias(name, "champion")
print(champion.version, champion.tags["incumbent.state"], champion.tags["incumbent.generation"])
print(MlflowClient().get_run(champion.run_id).data.metrics)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MlflowServer]:
    """A team's server."""
    server = MlflowServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


@pytest.fixture
def store(sqlite_url: str, artifacts: LocalArtifacts) -> Iterator[SqlStore]:
    """Two versions that were pickled as a worker does it; the second is champion."""
    store = SqlStore(sqlite_url, SystemClock())
    with store.begin() as tx:
        for number in (1, 2):
            enter(tx, artifacts, number)
        seat(tx, 1)
        seat(tx, 2, generation=1, previous=1)
    yield store
    store.close()


def enter(tx: Any, artifacts: LocalArtifacts, number: int) -> None:
    class Adds:
        def predict(self, frame: Any) -> Any:
            return frame["distance"] + number

    lineage = {"model": {"format": "cloudpickle"}, "features": ["distance"], "packages": {}}
    action = RegisterVersion(
        version=number,
        run=f"{MODEL}.r{number}",
        digest=artifacts.put_bytes(cloudpickle.dumps(Adds())),
        recipe="gbm",
        metrics={"mae": 17.5},
        lineage=artifacts.put_bytes(json.dumps(lineage).encode()),
    )
    tx.registry.register(MODEL, action, decision=decide(tx), at=AT)


def test_a_client_works_unchanged_on_our_registry(
    server: MlflowServer, store: SqlStore, artifacts: LocalArtifacts, tmp_path: Path
):
    settings = load_settings(home=tmp_path, login="none", port=0, api_rate=10_000.0)
    with Server(settings, store, artifacts=artifacts) as ours:
        said = server.run(OURS, ours.url.rstrip("/"), MODEL).splitlines()
    assert said == [
        "[3, 4]",
        "[('2', 'Production'), ('1', 'Archived')]",
        "x",
        "PERMISSION_DENIED `incumbent promote flight-delay 1 --reason ...`",
        "PERMISSION_DENIED `incumbent reject flight-delay 1 --reason ...`",
        said[5],
        "1 models:/m",
        "[8]",
    ]
    assert "rules/flight-delay.yaml" in said[5]


def govern(store: SqlStore) -> None:
    """A policy for the model, silent on its registry."""
    rules = ActiveRules(
        model=MODEL,
        ref=RulesRef(path=PATH, blob=blob_id(POLICY.encode())),
        text=POLICY,
        activated_at=AT,
    )
    with store.begin() as tx:
        tx.rules.activate(rules)


MOVE = """
import sys
from mlflow import MlflowClient
MlflowClient(sys.argv[1]).set_registered_model_alias(sys.argv[2], "champion", "1")
"""


def test_a_move_by_hand_and_a_lost_database_at_a_real_server(store: SqlStore, tmp_path: Path):
    server = MlflowServer()
    try:
        server.start()
        team = MlflowTeamRegistry(Client(server.place, timeout=60))
        config = PublishConfig(owner="test", settle="restore", watch=timedelta(0))
        publisher = Publisher(store, team, SystemClock(), config)

        engine = Engine(store, SystemClock(), load_policy)

        def look() -> Publication:
            """A look, what the engine says to it, and the look that obeys."""
            for _ in range(2):
                assert publisher.run_once().failed == 0
                engine.run_once()
            with store.read() as tx:
                (row,) = tx.publications.all()
            return row

        govern(store)
        look()
        server.run(MOVE, server.url, MODEL)
        assert "points at version 1 instead of version 2" in look().settled
        there = team.pointed(MODEL, "champion")
        assert there is not None
        assert there.number == 2

        server.stop()
        down = publisher.run_once()
        with store.read() as tx:
            (row,) = tx.publications.all()
        assert down.failed == 1
        assert "cannot be reached" in row.error
        (server.folder / "mlflow.db").unlink()
        server.start()
        with store.begin() as tx:
            tx.publications.put(replace(row, look_at=None))
        assert "has lost flight-delay version 2" in look().settled
        again = team.pointed(MODEL, "champion")
        assert again is not None
        assert again.tags["incumbent.version"] == "2"
    finally:
        server.remove()


HOOK = """
import sys
from mlflow import MlflowClient
server, address, secret = sys.argv[1:]
MlflowClient(server).create_webhook(
    "incumbent",
    address,
    ["model_version_alias.created", "model_version_alias.deleted"],
    secret=secret,
)
"""


def test_a_webhook_of_a_real_server_brings_the_look_forward(store: SqlStore, tmp_path: Path):
    """Our next look is an hour away; the server tells our own uvicorn that the alias was moved."""
    secret = "a secret of both"
    server = MlflowServer(
        environment={
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": base64.urlsafe_b64encode(b"k" * 32).decode(),
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_CACHE_TTL": "1",  # a new webhook is known after that; else a minute
        }
    )
    settings = load_settings(home=tmp_path, port=0, registry_webhook_secret=secret)
    try:
        server.start()
        team = MlflowTeamRegistry(Client(server.place, timeout=60))
        config = PublishConfig(owner="test", settle="restore", watch=timedelta(hours=1))
        publisher = Publisher(store, team, SystemClock(), config)
        engine = Engine(store, SystemClock(), load_policy)
        govern(store)
        assert publisher.run_once().published == 2
        assert publisher.run_once() == PublishReport()
        with Server(settings, store) as ours:
            server.run(HOOK, server.url, f"{ours.url.rstrip('/')}/v1/events/mlflow", secret)
            server.run(MOVE, server.url, MODEL)
            until(
                lambda: publisher.run_once().told == 1, words=lambda: "no webhook came", pause=0.1
            )
            engine.run_once()
            assert publisher.run_once().moved == 1
        there = team.pointed(MODEL, "champion")
        assert there is not None
        assert there.number == 2
    finally:
        server.remove()


def test_a_client_loads_what_was_published_at_the_teams_server(
    server: MlflowServer, store: SqlStore, artifacts: LocalArtifacts, tmp_path: Path
):
    team = MlflowTeamRegistry(Client(server.place, timeout=60))
    packer = Packer(artifacts, tmp_path / "spool", "http://127.0.0.1:8321/")
    publisher = Publisher(store, team, SystemClock(), PublishConfig(owner="test"), packer)
    report = publisher.run_once()
    with store.read() as tx:
        assert (report.published, report.moved) == (2, 1), tx.publications.all()
    assert server.run(THEIRS, server.url, MODEL).splitlines() == [
        "[3, 4]",
        "2 champion 2",
        "{'mae': 17.5}",
    ]
