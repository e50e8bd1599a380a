from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.adapters.sources.events import (
    BadEvent,
    BadSignature,
    CloudEvent,
    ObjectEvent,
    parse_bucket_events,
    parse_cloud_events,
    verify_signature,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
EVENT = {
    "specversion": "1.0",
    "id": "7",
    "source": "/labels",
    "type": "com.example.labels.ready",
    "subject": "2026-01",
    "time": "2026-01-02T04:04:05+01:00",
    "team": "arrivals",
    "datacontenttype": "application/json",
    "data": {"rows": 10},
}
PARSED = CloudEvent(
    id="7",
    source="/labels",
    type="com.example.labels.ready",
    subject="2026-01",
    time=NOW,
    data={"rows": 10},
    extensions={"team": "arrivals"},
)


def body(value) -> bytes:
    return json.dumps(value).encode()


def test_structured_event():
    [event] = parse_cloud_events(STRUCTURED, body(EVENT))
    assert event == PARSED
    assert event.key == "event:/labels:7"


def test_binary_event():
    headers = {
        f"ce-{k}": v for k, v in EVENT.items() if isinstance(v, str) and k != "datacontenttype"
    }
    headers |= {"content-type": "application/json", "ce-subject": "2026%2D01"}
    assert parse_cloud_events(headers, body({"rows": 10})) == (PARSED,)


def test_binary_event_with_bytes_and_without_any():
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "t"}
    [event] = parse_cloud_events(headers | {"Content-Type": "text/csv"}, b"a,b\n")
    assert event.data == b"a,b\n"
    assert parse_cloud_events(headers, b"")[0].data is None


def test_batch():
    other = EVENT | {"id": "8", "data_base64": base64.b64encode(b"\x00").decode()}
    del other["data"]
    one, two = parse_cloud_events(BATCH, body([EVENT, other]))
    assert (one, two.id, two.data) == (PARSED, "8", b"\x00")
    assert parse_cloud_events(BATCH, b"[]") == ()


@pytest.mark.parametrize(
    ("headers", "content", "sentence"),
    [
        pytest.param({}, b"{}", "is no CloudEvent", id="nothing"),
        pytest.param(STRUCTURED, b"{", "is no JSON", id="json"),
        pytest.param(STRUCTURED, b"[]", "is a JSON object", id="list"),
        pytest.param(BATCH, b"{}", "is a JSON list", id="batch-object"),
        pytest.param(BATCH, body([EVENT] * 1001), "at most 1,000", id="many"),
        pytest.param(STRUCTURED, body({**EVENT, "id": ""}), "has no id", id="id"),
        pytest.param(STRUCTURED, body({**EVENT, "source": 3}), "has no source", id="source"),
        pytest.param(
            STRUCTURED, body({**EVENT, "specversion": "0.3"}), "of version '0.3'", id="version"
        ),
        pytest.param(STRUCTURED, body({**EVENT, "time": "noon"}), "no RFC 3339 time", id="time"),
        pytest.param(STRUCTURED, body({**EVENT, "data_base64": "x"}), "not both", id="both"),
        pytest.param(STRUCTURED, b"[" * 100_000, "is no JSON", id="deep"),
        pytest.param(STRUCTURED, b" " * (1 << 21), "at most 1,048,576", id="huge"),
    ],
)
def test_no_event(headers, content, sentence):
    with pytest.raises(BadEvent) as raised:
        parse_cloud_events(headers, content)
    assert sentence in raised.value.message


@given(st.binary(max_size=200), st.sampled_from([STRUCTURED, BATCH, {}, {"ce-specversion": "1.0"}]))
def test_any_bytes_are_an_event_or_a_sentence(content, headers):
    with contextlib.suppress(BadEvent):
        parse_cloud_events(headers, content)


# --- signatures -----------------------------------------------------------------------------------------------


def hub(secret: str, content: bytes) -> dict[str, str]:
    return {
        "X-Hub-Signature-256": "sha256="
        + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    }


def standard(key: bytes, content: bytes, at: datetime = NOW) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signed = hmac.new(key, f"m1.{stamp}.".encode() + content, hashlib.sha256).digest()
    signature = f"v2,xxx v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": signature}


WHSEC = "whsec_" + base64.b64encode(b"key" * 8).decode()


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        pytest.param(hub("s", b"x"), ["s"], id="hub"),
        pytest.param(hub("old", b"x"), ["new", "old"], id="hub-being-replaced"),
        pytest.param(standard(b"key" * 8, b"x"), [WHSEC], id="standard"),
        pytest.param(standard(b"plain", b"x"), ["plain"], id="standard-plain-key"),
        pytest.param(standard(b"plain", b"x", NOW - timedelta(minutes=4)), ["plain"], id="in-time"),
    ],
)
def test_signed(headers, secrets):
    verify_signature(headers, b"x", secrets, NOW)


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        pytest.param({}, ["s"], id="unsigned"),
        pytest.param(hub("s", b"x"), [], id="no-secret"),
        pytest.param(hub("s", b"x"), ["other"], id="another-secret"),
        pytest.param(hub("s", b"y"), ["s"], id="another-body"),
        pytest.param({"x-hub-signature-256": "sha256=ü"}, ["s"], id="nonsense"),
        pytest.param(standard(b"k", b"y"), ["k"], id="standard-body"),
        pytest.param(standard(b"k", b"x", NOW - timedelta(minutes=6)), ["k"], id="recorded"),
        pytest.param(standard(b"k", b"x", NOW + timedelta(minutes=6)), ["k"], id="future"),
        pytest.param({**standard(b"k", b"x"), "webhook-id": "m2"}, ["k"], id="another-message"),
        pytest.param({**standard(b"k", b"x"), "webhook-timestamp": "9" * 30}, ["k"], id="endless"),
        pytest.param({**standard(b"k", b"x"), "webhook-timestamp": "²"}, ["k"], id="no-number"),
    ],
)
def test_not_signed(headers, secrets):
    with pytest.raises(BadSignature):
        verify_signature(headers, b"x", secrets, NOW)


# --- buckets --------------------------------------------------------------------------------------------------

RECORD = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "bucket": {"name": "warehouse"},
        "object": {
            "key": "flights/a+b%3D1.parquet",
            "size": 1024,
            "eTag": "d41d",
            "sequencer": "0055",
        },
    },
}
OBJECT = ObjectEvent(
    address="s3://warehouse/flights/a b=1.parquet",
    created=True,
    size=1024,
    etag="d41d",
    sequencer="0055",
)


def test_bucket_notification():
    removed = {**RECORD, "eventName": "s3:ObjectRemoved:Delete"}
    one, two = parse_bucket_events(body({"Records": [RECORD, removed]}))
    assert one == OBJECT
    assert not two.created


def test_bucket_notification_in_an_envelope():
    envelope = {"Type": "Notification", "Message": json.dumps({"Records": [RECORD]})}
    assert parse_bucket_events(body(envelope)) == (OBJECT,)


def test_bucket_notification_of_eventbridge():
    detail = {"bucket": {"name": "warehouse"}, "object": {"key": "a b.csv", "size": 3, "etag": "e"}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    [found] = parse_bucket_events(body(event))
    assert (found.address, found.created, found.size) == ("s3://warehouse/a b.csv", True, 3)


def test_trial_message_has_no_objects():
    assert parse_bucket_events(body({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Records": 3}',
        b'{"Records": [3]}',
        b'{"Records": [{"s3": null}]}',
        b'{"source": "aws.s3"}',
    ],
)
def test_no_bucket_notification(content):
    with pytest.raises(BadEvent):
        parse_bucket_events(content)


ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


@given(text=ANY_TEXT, way=st.sampled_from(["message", "key", "key in a message", "bridge"]))
@example(text="\ud800", way="message")
@example(text="\ud800", way="key")
@example(text="\ud800", way="key in a message")
@example(text="\ud800", way="bridge")
def test_any_text_in_a_bucket_notification_is_an_address_or_a_sentence(text: str, way: str):
    named = {**RECORD, "s3": {"bucket": {"name": "b"}, "object": {"key": text}}}
    records = json.dumps({"Records": [named]})
    detail = {"bucket": {"name": "b"}, "object": {"key": text}}
    content = {
        "message": json.dumps({"Type": "Notification", "Message": text}),
        "key": records,
        "key in a message": json.dumps({"Type": "Notification", "Message": records}),
        "bridge": json.dumps({"source": "aws.s3", "detail": detail}),
    }[way]
    found = ""
    with suppress(BadEvent):
        found = " ".join(event.address for event in parse_bucket_events(content.encode()))
    assert found.encode() or not found
