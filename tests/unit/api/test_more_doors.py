"""The other doors, at random: MLflow's interface and its webhook, buckets' hints, the typed routes, workers' reports.

Never an error of ours and never a traceback: what is wrong is refused in one line with the field's name.
"""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.adapters.sql.store import SqlStore
from controller.domain.payloads import InvalidPayload
from controller.domain.runs import RunState
from controller.domain.signals import SignalKind
from controller.entrypoints.mlflow.methods import METHODS
from controller.ports import Query, RunEnd
from tests.support.house import MODEL, House
from tests.support.nonsense import (
    NAMES,
    NUMBERS,
    TEXTS,
    as_sent,
    nonsense_payload,
    nonsense_value,
    nonsense_values,
)
from tests.support.page import Office
from tests.unit.adapters.test_mlflow_webhook import MOVED, SECRET, signed
from tests.unit.api.test_payload_doors import DRAWN, JSON, SEEDS, told

FEW = settings(DRAWN, max_examples=12)
SPOKEN = ("approve", "withdraw", "reject", "promote", "rollback", "hold", "release", "train")
FIELDS = ("reason", "version", "evidence", "expect_version", "force")
REASON = {"reason": "a try"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    changes = {"api_rate": 1e6, "registry_webhook_secret": SECRET}
    office = Office(tmp_path_factory.mktemp("more-doors"), changes)
    office.held()
    return office


def one_line(answer: Any) -> dict[str, Any]:
    """What a refusal says; JSON, and printable."""
    said: dict[str, Any] = answer.json()
    assert str(said.get("detail", said.get("message", ""))).isprintable()
    assert "Traceback" not in answer.text
    return said


# --- MLflow -----------------------------------------------------------------------------------------------------

ARGUMENTS = ("name", "version", "alias", "key", "value", "source", "tags", "description", "stage")
MORE = ("filter", "max_results", "order_by", "page_token", "run_id", "new_name", "stages")


def nonsense_arguments(rng: random.Random) -> dict[str, Any]:
    """Of a method of MLflow: names that there are and anything else."""
    known = {"name": MODEL, "version": "1", "alias": "champion", "source": "models:/m-12ab"}
    names = [*rng.sample((*ARGUMENTS, *MORE), rng.randrange(5)), "name"]
    return {
        name: known.get(name, "x") if rng.random() < 0.4 else nonsense_value(rng, 2)
        for name in names
    }


@pytest.mark.parametrize("method", sorted(METHODS), ids=" ".join)
@FEW
@given(rng=SEEDS)
def test_methods_of_mlflow(office: Office, method: tuple[str, str], rng: random.Random):
    verb, path = method
    arguments = nonsense_arguments(rng)
    client, place = office.client(), f"/api/2.0/mlflow/{path}"
    if verb == "GET":
        texts = {name: _sendable(value) for name, value in arguments.items()}
        answer = client.request(verb, place, params=texts)
    else:
        sent = as_sent(arguments)
        if sent is None:
            return
        answer = client.request(verb, place, content=sent, headers=JSON)
    assert answer.status_code < 500, (arguments, answer.text)
    if answer.status_code != 200:
        said = one_line(answer)
        # The guard before all doors, which knows no NUL in an address, answers as /v1 does.
        assert said.get("error_code") or said["code"] == "wrong_use"
        assert said.get("message") or said["detail"]
    assert office.house.engine.run_once().poisoned == 0


def _sendable(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)[:2_000]
    return text.encode("utf-8", "replace").decode()


@FEW
@given(body=nonsense_values())
def test_a_body_of_mlflow_that_is_no_object(office: Office, body: Any):
    sent = as_sent(body)
    if sent is not None:
        place = "/api/2.0/mlflow/registered-models/create"
        answer = office.client().post(place, content=sent, headers=JSON)
        assert answer.status_code < 500, answer.text


@FEW
@given(rng=SEEDS)
def test_the_webhook_of_mlflow(office: Office, rng: random.Random):
    """Signed well, by who holds the secret; what it says is anything."""
    event: dict[str, Any] = json.loads(json.dumps(MOVED))
    for name in rng.sample(sorted(event), rng.randrange(1, 3)):
        event[name] = nonsense_value(rng)
    if isinstance(event["data"], dict) and rng.random() < 0.7:
        event["data"] |= {rng.choice(("name", "alias", "version")): nonsense_value(rng)}
    sent = as_sent(event)
    if sent is None:
        return
    headers = signed(sent, office.house.clock.now()) | {"X-MLflow-Delivery-Id": "d-1"}
    answer = office.client(actor=None).post("/v1/events/mlflow", content=sent, headers=headers)
    assert answer.status_code in {200, 202, 400, 422}, answer.text
    if answer.status_code in {400, 422}:
        assert one_line(answer)["code"]


# --- hints of buckets -------------------------------------------------------------------------------------------


def nonsense_notice(rng: random.Random) -> Any:
    """Near an S3 notification, an SNS envelope or an event of EventBridge."""
    thing: dict[str, Any] = {"key": rng.choice((*TEXTS, *NAMES)), "size": rng.choice(NUMBERS)}
    record: dict[str, Any] = {
        "eventName": rng.choice(("ObjectCreated:Put", nonsense_value(rng, 1))),
        "s3": {"bucket": {"name": rng.choice((*NAMES, "b"))}, "object": thing},
    }
    if rng.random() < 0.5:
        record[rng.choice(("eventTime", "s3", "eventName"))] = nonsense_value(rng)
    notice: Any = {"Records": [record, nonsense_value(rng)][: rng.choice((1, 1, 2))]}
    roll = rng.random()
    if roll < 0.2:
        return {"Type": "Notification", "Message": json.dumps(notice, default=str)}
    if roll < 0.4:
        return {"source": "aws.s3", "detail-type": "Object Created", "detail": nonsense_value(rng)}
    return nonsense_value(rng) if roll < 0.5 else notice


@FEW
@given(rng=SEEDS)
def test_notifications_of_buckets(office: Office, rng: random.Random):
    sent = as_sent(nonsense_notice(rng))
    if sent is not None:
        answer = told(office, lambda api: api.post("/v1/events/bucket", content=sent, headers=JSON))
        if answer.status_code != 202:
            assert one_line(answer)["code"]


# --- the typed routes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", SPOKEN)
@FEW
@given(rng=SEEDS)
def test_routes_of_actions(office: Office, action: str, rng: random.Random):
    body = REASON | {name: nonsense_value(rng, 2) for name in FIELDS if rng.random() < 0.4}
    sent = as_sent(body)
    if sent is None:
        return
    path = f"/v1/models/{MODEL}/{action}"
    answer = told(office, lambda api: api.post(path, content=sent, headers=JSON))
    if answer.status_code == 422:
        said = one_line(answer)
        assert said["errors"] or said["detail"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"models/{MODEL}/promote", {"version": 2**70}, "version"),
        (f"models/{MODEL}/promote", {"version": [1]}, "version"),
        (f"models/{MODEL}/rollback", {"force": "perhaps"}, "force"),
        (f"models/{MODEL}/approve", {"evidence": {"a": 1}}, "evidence"),
        (f"models/{MODEL}/hold", {"reason": 7}, "reason"),
        (f"runs/{MODEL}.r1/cancel", {"reason": None}, "reason"),
        (f"models/{MODEL}/batches/{2**70}/release", {}, "batch"),
    ],
)
def test_the_field_of_an_action_is_named(office: Office, path: str, body: Any, field: str):
    answer = told(office, lambda api: api.post(f"/v1/{path}", json=REASON | body))
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["at"]


@pytest.mark.parametrize("route", ["batches/{}/release", "{}/retry"])
@FEW
@given(name=st.sampled_from((*NAMES, *TEXTS, "9" * 400, "-1", "1e3", "\u0663")))
def test_names_in_paths(office: Office, route: str, name: str):
    part = quote(name.encode("utf-8", "replace"), safe="")[:3_000]
    head = "models/flight-delay" if "batches" in route else "runs"
    answer = office.client().post(f"/v1/{head}/{route.format(part)}", json=REASON)
    assert answer.status_code in {400, 404, 405, 409, 422, 307}, answer.text


# --- what workers report ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place() -> Any:
    """A house on the SQL adapters, where training after training is ordered."""
    house = House(opens=SqlStore.in_memory)
    yield house
    house.store.close()


@FEW
@given(rng=SEEDS)
def test_reports_of_workers(place: House, rng: random.Random):
    place.signal(SignalKind.MANUAL, f"{rng.random()}", reason="again")
    place.tick()
    run = place.claim()
    if run is None:
        return
    before = _kept(place)
    kind = rng.choice((SignalKind.RUN_FINISHED, SignalKind.RUN_FAILED))
    result = nonsense_payload(rng, kind)
    end = RunEnd(state=RunState.DONE, result=result)
    try:
        with place.store.begin() as tx:
            assert tx.runs.finish(run.id, run.fence, end, at=place.clock.now())
    except InvalidPayload as refused:
        said = (refused.field, refused.sentence())
    else:
        assert place.engine.run_once().poisoned == 0
        return
    assert said[0] in said[1]
    assert said[1].isprintable()
    with place.store.read() as tx:
        held = tx.runs.get(run.id)
    assert held is not None
    assert held.state is RunState.RUNNING, "a report that is refused changes nothing"
    assert _kept(place) == before
    place.fail(run, "it gave up")
    assert place.engine.run_once().poisoned == 0


def _kept(house: House) -> int:
    with house.store.read() as tx:
        return len(tx.signals.find(Query(limit=100_000)))
