"""Who gets in: signed deliveries once and in time, forms of ours, sessions until they end, and no token for nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.entrypoints.api.app import create_app
from controller.entrypoints.api.context import LoginLinks
from tests.support.house import MODEL
from tests.support.page import BASE, Office

KEY = "s3cret"
STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"webhook_secret": KEY})
    office.held()
    return office


def event(office: Office, name: str = "e1", apart: int = 0) -> bytes:
    moment = office.house.clock.now() + timedelta(seconds=apart)
    said = {"specversion": "1.0", "id": name, "source": "/ci", "type": "t", "subject": MODEL}
    return json.dumps(said | {"time": moment.isoformat()}).encode()


def standard(office: Office, body: bytes, name: str = "m1", apart: int = 0) -> dict[str, str]:
    stamp = int(office.house.clock.now().timestamp()) + apart
    mark = hmac.digest(KEY.encode(), f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{base64.b64encode(mark).decode()}",
    }


def hub(body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={hmac.new(KEY.encode(), body, 'sha256').hexdigest()}"}


def replica(office: Office) -> TestClient:
    """Another process over the same database."""
    return TestClient(create_app(office.served), base_url=BASE, raise_server_exceptions=False)


@pytest.mark.parametrize("scheme", [standard, hub], ids=["standard", "hub"])
def test_a_signed_binary_event_is_refused_for_its_headers_are_not_signed(
    office: Office, scheme: Any
) -> None:
    body = b'{"rows": 1}'
    signed = scheme(body) if scheme is hub else scheme(office, body)
    named = {"ce-specversion": "1.0", "ce-id": "x", "ce-source": "/ci", "ce-type": "t"}
    headers = signed | named | {"ce-subject": MODEL, "content-type": "application/json"}
    answer = office.client(None).post("/v1/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_event")
    assert "headers, which the signature does not cover" in answer.json()["detail"]


@pytest.mark.parametrize("day", [-86_400, -301, 301, 86_400], ids=str)
def test_what_was_signed_yesterday_or_tomorrow_is_refused(office: Office, day: int) -> None:
    nobody = office.client(None)
    body = event(office)
    late = nobody.post(
        "/v1/events", content=body, headers=STRUCTURED | standard(office, body, apart=day)
    )
    body = event(office, apart=day)
    dated = nobody.post("/v1/events", content=body, headers=STRUCTURED | hub(body))
    assert [one.json()["code"] for one in (late, dated)] == ["bad_signature"] * 2


def test_a_hub_signature_without_a_time_is_refused(office: Office) -> None:
    held = json.loads(event(office))
    del held["time"]
    body = json.dumps(held).encode()
    answer = office.client(None).post("/v1/events", content=body, headers=STRUCTURED | hub(body))
    assert (answer.status_code, "says no time" in answer.json()["detail"]) == (401, True)


@pytest.mark.parametrize("scheme", ["standard", "hub"])
def test_a_replayed_delivery_is_said_to_be_one_by_every_replica(
    office: Office, scheme: str
) -> None:
    body = event(office)
    headers = STRUCTURED | (hub(body) if scheme == "hub" else standard(office, body))
    first = office.client(None).post("/v1/events", content=body, headers=headers)
    before = len(office.house.statuses())
    again = replica(office).post("/v1/events", content=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()[0]["fresh"] is False
    assert again.json()[0]["signal"] == first.json()[0]["signal"]
    assert len(office.house.statuses()) == before


def test_a_replayed_notification_of_a_bucket_brings_no_look(office: Office) -> None:
    record = {
        "eventName": "ObjectCreated:Put",
        "eventTime": office.house.clock.now().isoformat(),
        "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}},
    }
    body = json.dumps({"Records": [record]}).encode()
    answers = [
        client.post("/v1/events/bucket", content=body, headers=hub(body)).status_code
        for client in (office.client(None), replica(office))
    ]
    assert answers == [202, 200]
    del record["eventTime"]
    body = json.dumps({"Records": [record]}).encode()
    assert replica(office).post(
        "/v1/events/bucket", content=body, headers=hub(body)
    ).status_code == 401  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stamp=st.one_of(st.text(max_size=14), st.integers(0, 10**14).map(str)))
def test_no_stamp_breaks_the_server(office: Office, stamp: str) -> None:
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": stamp.encode("ascii", "replace").decode(),
        "webhook-signature": "v1,x",
    }
    if any(ord(c) < 32 or ord(c) == 127 for c in stamp):
        return
    answer = office.client(None).post("/v1/events", content=b"{}", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_before_all_time_is_a_sentence(office: Office, when: str) -> None:
    body = json.dumps(json.loads(event(office)) | {"time": when})
    answer = office.client().post("/v1/events", content=body, headers=STRUCTURED)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_event")


def test_a_link_of_a_message_from_tomorrow_is_refused(office: Office) -> None:
    tomorrow = office.house.clock.now() + timedelta(days=1)
    link = office.served.message_links.to("/decisions/6", tomorrow)
    assert office.visitor().get(link, follow_redirects=False).status_code == 401


FOREIGN = [
    pytest.param({"origin": "https://evil.example"}, id="another origin"),
    pytest.param({"origin": "null"}, id="a hidden origin"),
    pytest.param({"sec-fetch-site": "cross-site"}, id="another site"),
    pytest.param({"sec-fetch-site": "same-site"}, id="a neighbour"),
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_nobody_is_logged_in_by_another_site_s_form(
    office: Office, headers: dict[str, str]
) -> None:
    nobody = office.client(None)
    link = {"key": LoginLinks.new(office.served.key, "person:mal")}
    token = {"token": office.token("person:mal")}
    for path, data in (("/login", token), ("/go", link)):
        answer = nobody.post(path, data=data, headers=headers, follow_redirects=False)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), path
        ours = {"origin": BASE, "sec-fetch-site": "same-origin"}
        assert nobody.post(path, data=data, headers=ours, follow_redirects=False).status_code == 303


def test_a_login_link_is_used_once_for_all_replicas(office: Office) -> None:
    key = {"key": LoginLinks.new(office.served.key, "person:ana")}
    first = office.client(None).post("/go", data=key, follow_redirects=False)
    again = replica(office).post("/go", data=key, follow_redirects=False)
    assert (first.status_code, again.status_code) == (303, 401)


@pytest.mark.parametrize("role", [None, "viewer"], ids=["link", "token"])
def test_who_logs_out_is_logged_out_everywhere(office: Office, role: str | None) -> None:
    ana = office.visitor(role=role)
    other = replica(office)
    other.cookies.update(ana.cookies)  # as somebody who has copied the cookie
    assert other.get("/v1/models").status_code == 200
    mark = ana.get("/").text.split('name="mark" value="')[1].split('"')[0]
    assert ana.post("/logout", data={"mark": mark}, follow_redirects=False).status_code == 303
    assert other.get("/v1/models").status_code == 401
    assert other.get("/v1/stream?once=true").status_code == 401
    assert office.visitor(role=role).get("/models").status_code == 200


def test_a_token_that_was_made_up_buys_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, {"api_rate": 0.5})
    api = office.client()
    assert api.get("/v1/models").status_code == 200  # proven: a bucket of its own from now on
    nobody = office.client(None)
    found = [
        nobody.get("/v1/models", headers={"authorization": f"Bearer inc_{n}"}).status_code
        for n in range(12)
    ]
    assert found.count(401) <= 5
    assert found[-1] == 429
    cookies = [
        nobody.get("/v1/models", headers={"cookie": f"incumbent_session={n}"}).status_code
        for n in range(3)
    ]
    assert cookies == [429] * 3
    assert api.get("/v1/models").status_code == 200


def test_a_token_that_was_revoked_counts_for_its_address_again(tmp_path: Path) -> None:
    office = Office(tmp_path, {"api_rate": 0.5})
    api = office.client()
    assert api.get("/v1/models").status_code == 200
    with office.house.store.begin() as tx:
        tx.tokens.revoke(1, office.house.clock.now())
    assert [api.get("/v1/models").status_code for _ in range(8)][-1] == 429
    assert office.client(None).get("/v1/models").status_code == 429
