"""The API: rights, idempotency, cursors, ETags, problem details, limits."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.domain.canonical import digest
from controller.entrypoints.api.app import create_app
from tests.support.command import POLICY
from tests.support.house import MODEL
from tests.support.page import Office

EVENT = {
    "specversion": "1.0", "id": "e1", "source": "/labels", "type": "com.example.labels.ready",
    "subject": MODEL, "data": {"rows": 5},
}  # fmt: skip
CLOUD = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.held()
    return office


def evidence(office: Office) -> str:
    with office.house.store.read() as tx:
        return digest(tx.registry.evaluations(MODEL, (2,))[2])


def test_lists_have_cursors_and_filters(office: Office):
    api = office.client(role="viewer")
    first = api.get("/v1/decisions", params={"limit": 4}).json()
    assert [row["id"] for row in first["items"]] == [6, 5, 4, 3]
    rest = api.get("/v1/decisions", params={"limit": 4, "before": first["next"]}).json()
    assert ([row["id"] for row in rest["items"]], rest["next"]) == ([2, 1], None)
    held = api.get("/v1/decisions", params={"verdict": "hold", "model": MODEL}).json()
    assert [row["challenger"] for row in held["items"]] == [2]
    data = api.get("/v1/signals", params={"kind": "new_data"}).json()
    assert {row["status"] for row in data["items"]} == {"handled"}


def test_a_decision_has_its_hash_as_etag(office: Office):
    api = office.client(role="viewer")
    answer = api.get("/v1/decisions/3")
    assert answer.headers["etag"] == f'"{answer.json()["hash"]}"'
    again = api.get("/v1/decisions/3", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_same_key_is_the_same_signal(office: Office):
    api, body = office.client(), {"model": MODEL, "payload": {"reason": "labels fixed"}}
    key = {"Idempotency-Key": "ticket-12"}
    first, again = (api.post("/v1/signals", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["signal"] == again.json()["signal"]
    word = {"reason": "holidays"}
    held, twice = (
        api.post(f"/v1/models/{MODEL}/hold", json=word, headers={"Idempotency-Key": "h"})
        for _ in range(2)
    )
    assert held.json() == twice.json() | {"fresh": True}
    other = api.post(
        f"/v1/models/{MODEL}/hold", json={"reason": "else"}, headers={"Idempotency-Key": "h"}
    )
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def with_another_model(office: Office) -> None:
    rules = office.house.rules
    office.app_context.enforce(POLICY.replace(MODEL, "other"))
    office.house.rules = rules


def test_a_key_belongs_to_its_model_and_kind(office: Office):
    """The same key of another model or kind is another signal; with another body it is refused, and nothing kept."""
    api, key = office.client(), {"Idempotency-Key": "g1"}
    with_another_model(office)
    sent = [
        {"model": model, "kind": kind, "payload": said}
        for model in (MODEL, "other")
        for kind, said in (("manual", {}), ("webhook", {"type": "t"}))
    ]
    first = [api.post("/v1/signals", json=body, headers=key) for body in sent]
    assert [answer.status_code for answer in first] == [202] * 4
    assert len({answer.json()["signal"] for answer in first}) == 4
    again = [api.post("/v1/signals", json=body, headers=key) for body in sent]
    assert [answer.status_code for answer in again] == [200] * 4
    assert [a.json()["signal"] for a in again] == [a.json()["signal"] for a in first]
    waiting = len(office.house.statuses())
    for changed in (
        {"payload": {"data": {"x": 1}}},
        {"trigger": "t"},
        {"occurred_at": "2013-01-01T00:00:00Z"},
    ):
        refused = api.post("/v1/signals", json=sent[0] | changed, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict"), refused.text
    batch = [{"model": MODEL, "key": "new"}, sent[0] | {"key": "g1", "payload": {"data": {"x": 1}}}]
    assert api.post("/v1/signals/batch", json=batch).status_code == 409
    twice = [{"model": MODEL, "key": "n", "payload": {"data": {"x": x}}} for x in (1, True)]
    assert api.post("/v1/signals/batch", json=twice).status_code == 409
    assert len(office.house.statuses()) == waiting


def test_the_same_key_of_another_actor_is_another_signal(office: Office):
    body, key = {"model": MODEL, "payload": {"reason": "x"}}, {"Idempotency-Key": "g1"}
    answers = [
        office.client(actor).post("/v1/signals", json=body, headers=key).json()
        for actor in ("person:ann", "person:bea")
    ]
    assert [answer["fresh"] for answer in answers] == [True, True]


@pytest.mark.parametrize("key", ["k" * 201, "\u00e4" * 200], ids=["long", "no ascii"])
def test_a_key_that_is_too_long_is_refused(office: Office, key: str):
    body = {"model": MODEL, "key": key * 10}
    assert office.client().post("/v1/signals/batch", json=[body]).status_code == 422
    event = EVENT | {"id": key * 20}
    answer = office.client().post("/v1/events", content=json.dumps(event), headers=CLOUD)
    assert (answer.status_code, "bytes together" in answer.text) == (422, True)


def test_an_event_belongs_to_its_model(office: Office):
    """Equal source and id, another subject: another signal. Another type or other data: a conflict."""
    api = office.client()
    with_another_model(office)

    def send(**changes: object) -> tuple[int, Any]:
        answer = api.post("/v1/events", content=json.dumps(EVENT | changes), headers=CLOUD)
        return answer.status_code, answer.json()

    assert send()[1][0]["fresh"]
    status, (other,) = send(subject="other")
    assert (status, other["fresh"]) == (202, True)
    assert not send(subject="other")[1][0]["fresh"]
    assert not send()[1][0]["fresh"]
    for changed in (
        {"data": {"rows": 6}},
        {"type": "com.example.else"},
        {"time": "2013-01-01T00:00:00Z"},
    ):
        status, problem = send(**changed)
        assert (status, problem["code"]) == (409, "conflict"), problem
    assert send(source=f"{EVENT['source']}:a", id="b")[1][0]["fresh"]
    assert send(source=EVENT["source"], id="a:b")[1][0]["fresh"]


def test_a_batch_is_kept_whole_or_not_at_all(office: Office):
    api, before = office.client(), len(office.house.statuses())
    bad = [{"model": MODEL, "key": "a"}, {"model": "no-such-model", "key": "b"}]
    assert api.post("/v1/signals/batch", json=bad).status_code == 404
    assert len(office.house.statuses()) == before
    good = [
        {"model": MODEL, "key": "a"},
        {"model": MODEL, "key": "b"},
        {"model": MODEL, "key": "a"},
    ]
    answer = api.post("/v1/signals/batch", json=good).json()
    assert [row["fresh"] for row in answer] == [True, True, False]


def test_approval_by_api_counts_for_the_evidence_that_was_seen(office: Office):
    api = office.client("person:ben", "reviewer", "arrivals-team")
    url = f"/v1/models/{MODEL}/approve"
    stale = api.post(url, json={"version": 2, "reason": "fine", "evidence": "0" * 64})
    assert (stale.status_code, stale.headers["content-type"]) == (409, "application/problem+json")
    answer = api.post(url, json={"version": 2, "reason": "fine", "evidence": evidence(office)})
    assert (answer.status_code, answer.json()["status"]) == (200, "handled")
    assert office.house.champion == 2


@pytest.mark.parametrize(
    ("role", "owners", "path", "status"),
    [
        pytest.param("viewer", (), "approve", 403, id="viewer approves"),
        pytest.param("reviewer", ("other-team",), "approve", 403, id="reviewer of another team"),
        pytest.param("reviewer", (), "rollback", 403, id="reviewer rolls back"),
        pytest.param("operator", (), "promote", 403, id="operator promotes by hand"),
        pytest.param("operator", (), "hold", 200, id="operator holds"),
        pytest.param("admin", (), "promote", 200, id="admin promotes by hand"),
    ],
)
def test_a_role_may_what_it_may(
    office: Office, role: str, owners: tuple[str, ...], path: str, status: int
):
    api = office.client("person:ben", role, *owners)
    body = {"reason": "because", "version": 2, "evidence": evidence(office)}
    answer = api.post(f"/v1/models/{MODEL}/{path}", json=body)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("roles", "status"),
    [
        pytest.param(
            {"viewer": ["*"], "operator@arrivals-team": ["group:leads"]}, 200, id="owner's group"
        ),
        pytest.param({"viewer": ["*"], "operator@other-team": ["ben"]}, 403, id="other owner"),
        pytest.param({"operator": ["ana"]}, 403, id="nobody"),
    ],
)
def test_a_token_gives_no_more_than_the_settings(
    tmp_path: Path, roles: dict[str, list[str]], status: int
):
    office = Office(tmp_path, {"roles": roles})
    office.held()
    api = office.client("person:ben", "admin")
    assert api.post(f"/v1/models/{MODEL}/hold", json={"reason": "x"}).status_code == status
    assert (
        api.post(f"/v1/models/{MODEL}/promote", json={"reason": "x", "version": 2}).status_code
        == 403
    )


def test_a_token_that_ran_out_or_was_revoked_is_refused(office: Office):
    api = office.client(role="viewer")
    assert api.get("/v1/models").status_code == 200
    office.house.clock.advance(timedelta(days=301))
    late = api.get("/v1/models")
    assert (late.status_code, late.headers["www-authenticate"]) == (401, "Bearer")
    assert "ran out" in late.json()["detail"]
    assert office.client(None).get("/v1/models").json()["code"] == "not_logged_in"


def test_only_the_hash_of_a_token_is_kept(office: Office):
    secret = office.token()
    with office.house.store.read() as tx:
        (kept,) = tx.tokens.all()
    assert kept.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(kept)


def test_a_replayed_event_is_one_signal(office: Office):
    api = office.client()
    first, again = (
        api.post("/v1/events", content=json.dumps(EVENT), headers=CLOUD) for _ in range(2)
    )
    assert first.status_code == 202
    assert [first.json()[0]["fresh"], again.json()[0]["fresh"]] == [True, False]
    batch = {"content-type": "application/cloudevents-batch+json"}
    answer = api.post(
        "/v1/events", content=json.dumps([EVENT, EVENT | {"id": "e2"}]), headers=batch
    )
    assert [row["fresh"] for row in answer.json()] == [False, True]
    binary = {f"ce-{k}": str(v) for k, v in EVENT.items() if k != "data"} | {"ce-id": "e3"}
    assert api.post("/v1/events", json={"rows": 1}, headers=binary).json()[0]["fresh"]


@pytest.mark.parametrize(
    ("apart", "key", "status"),
    [
        pytest.param(0, "s3cret", 202, id="good"),
        pytest.param(0, "other", 401, id="other secret"),
        pytest.param(3600, "s3cret", 401, id="clock skewed by an hour"),
    ],
)
def test_a_signed_event_needs_no_token(tmp_path: Path, apart: int, key: str, status: int):
    office = Office(tmp_path, {"webhook_secret": "s3cret"})
    office.held()
    stamp, body = int(office.house.clock.now().timestamp()) + apart, json.dumps(EVENT)
    signature = hmac.digest(key.encode(), f"m1.{stamp}.{body}".encode(), "sha256")
    headers = CLOUD | {
        "webhook-id": "m1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    answer = office.client(None).post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        pytest.param("GET", "/v1/nothing", None, 404, "nothing at", id="no such path"),
        pytest.param("GET", "/v1/decisions/99", None, 404, "no decision 99", id="no such decision"),
        pytest.param("GET", "/v1/decisions?limit=0", None, 422, "query.limit", id="bad limit"),
        pytest.param("PUT", "/v1/signals", None, 405, "Method Not Allowed", id="method"),
        pytest.param("POST", "/v1/signals", {"model": MODEL, "kind": "promote"}, 422, "cannot be sent", id="word"),
        pytest.param("POST", "/v1/signals", {"model": MODEL, "x": 1}, 422, "body.x", id="unknown field"),
        pytest.param("POST", f"/v1/models/{MODEL}/hold", {"reason": " "}, 422, "needs a reason", id="no reason"),
        pytest.param("POST", f"/v1/runs/{MODEL}.r1/cancel", {"reason": "x"}, 409, "it is done", id="ended run"),
        pytest.param("POST", "/v1/events", {"a": 1}, 400, "no CloudEvent", id="no event"),
    ],
)  # fmt: skip
def test_every_error_is_problem_details(
    office: Office, method: str, path: str, body: Any, status: int, said: str
):
    answer = office.client().request(method, path, json=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert problem["status"] == status
    assert said in problem["detail"]


def test_a_body_that_is_too_large_is_refused_while_it_comes_in(tmp_path: Path):
    office = Office(tmp_path, {"api_body": 10_000})
    office.held()
    api, taken = office.client(), list[int]()

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            taken.append(1)
            yield b"x" * 1000

    answer = api.post(
        "/v1/signals", content=endless(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    declared = api.post("/v1/signals", content=b"x" * 20_000)
    assert declared.status_code == 413


def test_who_asks_too_often_is_told_to_wait(tmp_path: Path):
    office = Office(tmp_path, {"api_rate": 0.5})
    office.held()
    api, other = office.client(), office.client("person:ben")
    answers = [api.get("/v1/models") for _ in range(8)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert other.get("/v1/models").status_code == 200


def test_comments_are_kept_once_and_shown_safe(office: Office):
    api, url = office.client("person:ben", "reviewer"), "/v1/comments/decision:6"
    body, key = {"text": "**JFK** <script>x</script>"}, {"Idempotency-Key": "c1"}
    first, again = (api.post(url, json=body, headers=key) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    (kept,) = api.get(url).json()
    assert kept["html"] == "<p><strong>JFK</strong> &lt;script&gt;x&lt;/script&gt;</p>\n"
    assert api.get("/v1/comments/decision:99").status_code == 404
    assert office.client("person:eve", "viewer").post(url, json=body).status_code == 403


def test_the_document_is_openapi_3_1_with_the_problems_in_it(office: Office):
    document = office.client(None).get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "Problem" in document["components"]["schemas"]
    answers = document["paths"]["/v1/models/{model}/approve"]["post"]["responses"]
    assert {"200", "202", "401", "403", "404", "409", "422", "429"} <= answers.keys()
    assert "/login" not in document["paths"]


def test_a_model_s_drift_is_told_and_a_batch_is_released(office: Office):
    api = office.client()
    with office.house.store.begin() as tx:
        tx.data.quarantine(MODEL, 1, "12 rows are null")
    found = api.get(f"/v1/models/{MODEL}/drift").json()
    assert [(b["sequence"], b["reason"]) for b in found["quarantined"]] == [(1, "12 rows are null")]
    body = {"reason": "known"}
    viewer = office.client(role="viewer")
    assert viewer.post(f"/v1/models/{MODEL}/batches/1/release", json=body).status_code == 403
    answer = api.post(f"/v1/models/{MODEL}/batches/1/release", json=body)
    assert answer.json()["decision"] is not None
    assert api.get(f"/v1/models/{MODEL}/drift").json()["quarantined"] == []
    again = api.post(f"/v1/models/{MODEL}/batches/1/release", json=body)
    assert (again.status_code, again.json()["detail"][:30]) == (
        404,
        "flight-delay has no batch 1 in",
    )
    assert api.get("/v1/models/nobody/drift").status_code == 404


def test_a_bucket_tells_by_signature_and_the_sources_are_looked_at_now(tmp_path: Path):
    office = Office(tmp_path, {"webhook_secret": "s3cret"})
    office.app_context.enforce(POLICY.replace("data/*.parquet", "s3://warehouse/flights/*.parquet"))
    record = {
        "eventName": "ObjectCreated:Put",
        "eventTime": office.house.clock.now().isoformat(),
        "s3": {"bucket": {"name": "warehouse"}, "object": {"key": "flights/jan+1.parquet"}},
    }
    body = json.dumps({"Records": [record]}).encode()
    signed = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    api = office.client(actor=None)
    assert api.post("/v1/events/bucket", content=body).status_code == 401
    forged = {"x-hub-signature-256": "sha256=" + "0" * 64}
    assert api.post("/v1/events/bucket", content=body, headers=forged).status_code == 401
    good = {"x-hub-signature-256": f"sha256={signed}"}
    answer = api.post("/v1/events/bucket", content=body, headers=good)
    assert (answer.status_code, answer.json()) == (202, {"objects": 1, "models": [MODEL]})
    with office.house.store.read() as tx:
        assert set(tx.hints.hinted()) == {MODEL}
    bad = office.client().post("/v1/events/bucket", content=b"[]")
    assert (bad.status_code, bad.json()["code"]) == (400, "bad_event")


def test_a_delivery_that_is_sent_again_is_one_signal_and_an_old_one_is_refused(tmp_path: Path):
    office = Office(tmp_path, {"webhook_secret": "s3cret"})
    body = json.dumps(EVENT).encode()

    def headers(stamp: int) -> dict[str, str]:
        content = f"m1.{stamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(b"s3cret", content, hashlib.sha256)).decode()
        return CLOUD | {
            "webhook-id": "m1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": f"v1,{signature}",
        }

    api = office.client(actor=None)
    now = int(office.house.clock.now().timestamp())
    first, again = (api.post("/v1/events", content=body, headers=headers(now)) for _ in range(2))
    assert (first.status_code, first.json()[0]["fresh"]) == (202, True)
    assert (again.json()[0]["fresh"], again.json()[0]["signal"]) == (
        False,
        first.json()[0]["signal"],
    )
    for stamp in (now - 3600, now + 86_400):  # recorded and sent again; signed tomorrow
        replayed = api.post("/v1/events", content=body, headers=headers(stamp))
        assert (replayed.status_code, replayed.json()["code"]) == (401, "bad_signature")


def test_a_full_inbox_says_so_and_when_to_come_again(tmp_path: Path):
    office = Office(tmp_path, {"inbox": 10})
    office.served = dataclasses.replace(office.served, decide_until_idle=None, answer_timeout=0.1)
    office.app = create_app(office.served)
    api = office.client()
    figure = {"model": MODEL, "kind": "metric", "payload": {"metric": "mae"}}
    body = [{**figure, "key": f"k{n}"} for n in range(10)]
    assert api.post("/v1/signals/batch", json=body).status_code == 202
    more = api.post("/v1/signals", json={**figure, "key": "k10"})
    assert (more.status_code, more.json()["code"]) == (503, "full")
    assert more.headers["retry-after"] == "5"
    assert "10 signals wait for their answer" in more.json()["detail"]
    again = api.post("/v1/signals", json={**figure, "key": "k3"})
    assert (again.status_code, again.json()["fresh"]) == (200, False), "it was kept before"
    word = api.post(f"/v1/models/{MODEL}/hold", json={"reason": "stop"})
    assert word.status_code == 202, "people are let in"


def test_every_field_of_the_document_that_people_meet_has_an_example(office: Office):
    document = office.client().get("/v1/openapi.json").json()
    shapes = document["components"]["schemas"]
    ours = ["SignalOut", "DecisionOut", "ExplanationOut", "RunOut", "LogLine", "VersionOut", "PolicyOut", "WordIn",
            "CommentOut", "DelegationOut", "AcceptedOut", "SignalIn", "DelegationIn", "Problem"]  # fmt: skip
    bare = [
        f"{name}.{field}"
        for name in ours
        for field, said in shapes[name]["properties"].items()
        if not {"example", "examples"} & said.keys()
    ]
    assert bare == []
