"""Every door holds the one rule about payloads: nonsense is refused by the field's name, or accepted and decided."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from controller.domain.errors import UserError
from controller.domain.names import is_one_alphabet
from controller.domain.signals import SignalKind
from controller.ports import Query
from tests.support.command import Desk
from tests.support.house import MODEL
from tests.support.nonsense import (
    NAMES,
    TEXTS,
    TIMES,
    as_sent,
    nonsense_payload,
    nonsense_values,
    too_large,
)
from tests.support.page import BASE, Office

OPEN = ("manual", "metric", "drift", "decay", "skew", "webhook")
ACTIONS = ("alias", "deprecate", "archive", "restore", "hold", "release", "retain", "drill")
JSON = {"content-type": "application/json"}
CLOUD = {"content-type": "application/cloudevents+json"}
SEEDS = st.randoms(use_true_random=False)
DRAWN = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("doors"), {"api_rate": 1e6})
    office.held()
    return office


def inbox(office: Office) -> int:
    with office.house.store.read() as tx:
        newest = tx.signals.find(Query(limit=1))
    return newest[0].id if newest else 0


def told(office: Office, send: Callable[[TestClient], Any]) -> Any:
    """The answer at a door: never an error of ours; refused by name and not kept, or kept, and the engine goes on."""
    before, answer = inbox(office), send(office.client())
    assert answer.status_code in {200, 202, 400, 404, 409, 413, 422}, answer.text
    if answer.status_code == 422:
        assert answer.json()["errors"] or answer.json()["detail"]
        assert inbox(office) == before
    report = office.house.engine.run_once()
    assert report.poisoned == 0
    return answer


@pytest.mark.parametrize("path", ["signals", "signals/batch", "signals/rehearsal"])
@DRAWN
@given(kind=st.sampled_from(OPEN), rng=SEEDS)
def test_signals(office: Office, path: str, kind: str, rng: random.Random):
    body = {"model": MODEL, "kind": kind, "payload": nonsense_payload(rng, SignalKind(kind))}
    sent = as_sent([body] if path.endswith("batch") else body)
    if sent is not None:
        told(office, lambda api: api.post(f"/v1/{path}", content=sent, headers=JSON))


@DRAWN
@given(action=st.sampled_from(ACTIONS), rng=SEEDS)
def test_what_a_person_asks_for(office: Office, action: str, rng: random.Random):
    payload = nonsense_payload(rng, SignalKind(action))
    payload.pop("reason", None)
    sent = as_sent({"action": action, "reason": "a try", "payload": payload})
    if sent is not None:
        told(office, lambda api: api.post(f"/v1/models/{MODEL}/words", content=sent, headers=JSON))


@DRAWN
@given(rng=SEEDS, data=nonsense_values())
def test_cloud_events(office: Office, rng: random.Random, data: Any):
    event = {
        "specversion": "1.0",
        "id": rng.choice((*TEXTS, "7")),
        "source": rng.choice((*TEXTS, "/labels")),
        "type": rng.choice((*TEXTS, "com.example.labels.ready")),
        "subject": rng.choice((MODEL, MODEL, MODEL, *NAMES)),
        "data": data,
    }
    if rng.random() < 0.5:
        event["time"] = rng.choice(TIMES)
    sent = as_sent(event)
    if sent is not None:
        told(office, lambda api: api.post("/v1/events", content=sent, headers=CLOUD))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (
            {"kind": "webhook", "payload": {"type": "release", "version": 202611301200}},
            "payload.version",
        ),
        ({"kind": "metric", "payload": {"metric": [1], "value": {}, "n": -5}}, "payload.metric"),
        ({"kind": "metric", "payload": {"metric": "mae", "version": 2**63}}, "payload.version"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    ],
)
def test_the_field_is_named_and_nothing_is_kept(office: Office, body: dict[str, Any], field: str):
    before = inbox(office)
    for path, sent in (
        ("signals", body | {"model": MODEL}),
        ("signals/batch", [{"model": MODEL}, body | {"model": MODEL}]),
    ):
        answer = office.client().post(f"/v1/{path}", json=sent)
        assert answer.status_code == 422
        assert answer.json()["code"] == "invalid_payload"
        assert answer.json()["errors"][0]["at"] == field
    assert inbox(office) == before


def test_an_integer_beyond_every_column_names_no_alias(office: Office):
    body = {"action": "alias", "reason": "r", "payload": {"alias": "ok", "version": 2**70}}
    answer = office.client().post(f"/v1/models/{MODEL}/words", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == "payload.version"


@pytest.mark.parametrize(
    "spoil",
    [
        {"data_base64": "\u00e1"},
        {"specversion": "\ud800"},
        {"id": "\ud800", "subject": None},
        {"time": "\ud800"},
    ],
)
def test_a_refusal_repeats_a_lone_surrogate_without_harm(office: Office, spoil: dict[str, Any]):
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": MODEL}
    sent = as_sent(event | spoil) or b""
    answer = told(office, lambda api: api.post("/v1/events", content=sent, headers=CLOUD))
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"].isprintable()


@pytest.mark.parametrize("name", too_large())
def test_what_is_too_large_is_refused(office: Office, name: str):
    payload = too_large()[name]
    sent = as_sent({"model": MODEL, "kind": "webhook", "payload": payload})
    if sent is None:  # JSON cannot say it; a caller inside the process could
        pytest.skip("it cannot be sent")
    answer = told(office, lambda api: api.post("/v1/signals", content=sent, headers=JSON))
    assert answer.status_code in {400, 413, 422}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_model_s_name_is_refused_everywhere(office: Office, name: str):
    signal = as_sent({"model": name})
    event = as_sent(
        {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": name or "a b"}
    )
    assert signal is not None
    assert event is not None
    for answer in (
        told(office, lambda api: api.post("/v1/signals", content=signal, headers=JSON)),
        told(office, lambda api: api.post("/v1/events", content=event, headers=CLOUD)),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"].isprintable()


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
)
def test_an_event_of_year_1_is_refused_by_its_time(office: Office, time: str):
    headers = {
        "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-subject": MODEL, "ce-time": time,
    }  # fmt: skip
    answer = told(office, lambda api: api.post("/v1/events", headers=headers))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_event")
    assert "time" in answer.json()["detail"]


def test_a_token_works_from_two_addresses_and_both_are_told(
    office: Office, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "controller.entrypoints.api.write")
    secret = office.token("person:ana")
    ids = []
    addresses = ["10.0.0.1", "2001:db8::7"]
    for address in addresses:
        api = TestClient(office.app, base_url=BASE, client=(address, 5000))
        answer = api.post(
            "/v1/signals", json={"model": MODEL}, headers={"authorization": f"Bearer {secret}"}
        )
        assert answer.status_code == 202
        ids.append(answer.json()["signal"])
    with office.house.store.read() as tx:
        kept = [tx.signals.get(number) for number in ids]
    assert [signal.actor for signal in kept if signal] == ["person:ana", "person:ana"]
    told_of = {vars(r)["signal"]: vars(r)["client"] for r in caplog.records if "client" in vars(r)}
    assert [told_of[number] for number in ids] == addresses


@pytest.mark.parametrize(
    "name", ["\u0430na", "an\u0430", "ana\u200b", "\u202eana", "ana\n", "\uff41na", "", "a" * 300]
)
def test_no_token_speaks_for_a_name_that_looks_like_another(office: Office, name: str):
    with pytest.raises(UserError, match="cannot be whom a token speaks for"):
        office.token(f"person:{name}")


def test_a_name_of_one_alphabet_is_one_and_a_mixed_one_is_none():
    assert is_one_alphabet("\u0430\u043d\u043d\u0430")
    assert is_one_alphabet("m\u00fcller@example.com")
    assert not is_one_alphabet("\u0430nna")
    assert not is_one_alphabet("\uff41nna")


# --- the command line -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app_context() -> Desk:
    return Desk()


@DRAWN
@given(rng=SEEDS, event=st.booleans())
def test_the_command_line_says_one_sentence_and_keeps_nothing(
    app_context: Desk, rng: random.Random, event: bool
):
    payload = nonsense_payload(rng, SignalKind.WEBHOOK)
    sent = as_sent(payload)
    if sent is None:
        return
    words = ["signal", MODEL, "--payload", sent.decode(), *(["--type", "t"] if event else [])]
    before, result = _count(app_context), app_context.invoke(*words)
    assert result.exit_code in {0, 2}, result.output
    if result.exit_code:
        assert len(result.stderr.strip().splitlines()) == 1
        assert "payload" in result.stderr
        assert _count(app_context) == before
    assert app_context.house.engine.run_once().poisoned == 0


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "-1e300"])
def test_a_figure_that_cannot_be_added_up_is_refused(app_context: Desk, value: str):
    before = _count(app_context)
    said = app_context.run(
        "signal", "metric", MODEL, "-m", "mae", "--value", value, "-n", "5", code=2
    )
    assert len(said.stderr.strip().splitlines()) == 1
    assert _count(app_context) == before


@pytest.mark.parametrize("version", ["v" + "9" * 5_000, "2147483648", "\u0663"])
def test_a_version_beyond_every_column_is_refused(app_context: Desk, version: str):
    words = ("signal", "metric", MODEL, "-m", "mae", "--value", "1", "-n", "5", "-v", version)
    assert "is no version" in app_context.run(*words, code=2).stderr


@pytest.mark.parametrize("name", [n for n in NAMES if n and "\x00" not in n and n != "\ud800"], ids=ascii)  # fmt: skip
def test_the_command_line_refuses_a_name_that_no_model_may_have(app_context: Desk, name: str):
    said = app_context.run("signal", name, code=2)
    assert "cannot be the name of a model" in said.stderr


def _count(app_context: Desk) -> int:
    with app_context.house.store.read() as tx:
        return len(tx.signals.find(Query(limit=100_000)))


def test_what_is_sent_is_json():
    assert json.loads(as_sent({"a": "\ud800"}) or b"") == {"a": "\ud800"}
