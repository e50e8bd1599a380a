"""A team moves over: the champion of their MLflow server is brought by a worker and judged on our rows."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.codec import load_plain
from controller.domain.evidence import Evaluation
from controller.domain.rules import SERVABLE
from controller.domain.runs import RunState
from controller.entrypoints.api.serve import Server
from controller.settings import load_settings
from tests.support.mlflow import MlflowServer
from tests.support.workplace import MODEL, Workplace, rows_of

pytestmark = pytest.mark.long
BRING = "workers.from_mlflow:train"

LOG = """
import sys, mlflow, pandas
from mlflow import MlflowClient
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

mlflow.set_tracking_uri(sys.argv[1])
frame = pandas.DataFrame({"x": [0.0, 1.0, 2.0]})
model = make_pipeline(ColumnTransformer([("x", "passthrough", ["x"])]), LinearRegression())
model.fit(frame, [1.0, 3.0, 5.0])
with mlflow.start_run():
    made = mlflow.sklearn.log_model(
        model, name="model", registered_model_name="toy", serialization_format="cloudpickle"
    )
MlflowClient().set_registered_model_alias("toy", "champion", "1")
print(made.model_uri.split("-")[0])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MlflowServer]:
    server = MlflowServer()
    try:
        server.start()
        assert server.run(LOG, server.url).splitlines()[-1] == "models:/m"
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    place = Workplace.open(tmp_path_factory.mktemp("place"))
    try:
        place.bring(rows_of(0))
        place.bring(rows_of(10))
        place.start_worker()
        yield place
    finally:
        place.close()


def test_their_champion_is_brought_by_a_run_and_judged(server: MlflowServer, place: Workplace):
    params = {"server": server.place, "model": "toy", "version": 1}
    run = place.train(BRING, params=params)
    assert run.state is RunState.DONE, run.reason
    assert run.result["format"] == "folder"
    assert place.lineage(run)["params"] == params
    again = place.train(BRING, params=params)
    assert again.result["digest"] == run.result["digest"]
    stored = io.BytesIO(place.artifacts.read_bytes(run.result["digest"]))
    with tarfile.open(fileobj=stored) as held:
        assert "MLmodel" in held.getnames()

    number = place.register(run)
    judged = place.evaluate(number)
    assert judged.state is RunState.DONE, judged.reason
    report = load_plain(Evaluation, judged.result["evaluation"])
    servable = report.for_gate(SERVABLE)
    assert servable is not None
    assert (servable.challenger, servable.problem) == (1.0, None)


LOAD = """
import sys, mlflow, pandas
mlflow.set_registry_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/toy/1")
print([round(value) for value in model.predict(pandas.DataFrame({"x": [1.0, 4.0], "place": ["a", "b"]}))])
"""


def test_mlflows_client_loads_what_was_brought_from_us(
    server: MlflowServer, place: Workplace, tmp_path: Path
):
    params = {"server": server.place, "model": "toy", "version": 1}
    with place.store.read() as tx:
        entered = tx.registry.versions(MODEL)
    if not entered:
        place.register(place.train(BRING, params=params))
    settings = load_settings(home=tmp_path, login="none", port=0, api_rate=10_000.0)
    with Server(settings, place.store, artifacts=place.artifacts) as ours:
        assert server.run(LOAD, ours.url.rstrip("/")).splitlines()[-1] == "[3, 9]"


MISSING = {
    "no such version": ({"model": "toy", "version": 9}, "Model Version (name=toy, version=9)"),
    "no version": ({"model": "toy"}, "params must be server"),
    "an alias": ({"model": "toy", "version": "champion"}, "params must be server"),
    "a misspelt key": ({"model": "toy", "version": 1, "stage": "x"}, "params must be server"),
    "another server": (
        {"model": "toy", "version": 1, "server": "mlflow://127.0.0.1:9"},
        "cannot be reached",
    ),
}


@pytest.mark.parametrize(("params", "why"), MISSING.values(), ids=MISSING.keys())
def test_what_is_missing_is_said(
    server: MlflowServer, place: Workplace, params: dict[str, object], why: str
):
    run = place.train(BRING, params={"server": server.place} | params, retries=0)
    assert run.state is RunState.FAILED
    assert why in run.reason
