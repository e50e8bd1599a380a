"""A webhook of MLflow is believed if our secret signed it just now, and says only which model to look at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.adapters.mlflow.webhook import read_webhook
from controller.adapters.sources.events import BadEvent, BadSignature

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "whsec_c2VjcmV0"  # MLflow takes the text itself as the key, whatever it looks like
MOVED = {
    "entity": "model_version_alias",
    "action": "created",
    "timestamp": "2026-01-02T03:04:05.123456+00:00",
    "data": {"name": "flight-delay", "alias": "champion", "version": "1"},
}


def body(**changes: Any) -> bytes:
    return json.dumps(MOVED | changes).encode()


def signed(content: bytes, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    """As MLflow signs: ``delivery.timestamp.payload``."""
    stamp = str(int(at.timestamp()))
    made = hmac.new(secret.encode(), f"d-1.{stamp}.".encode() + content, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": "d-1",
        "X-MLflow-Timestamp": stamp,
        "X-MLflow-Signature": f"v1,{base64.b64encode(made).decode()}",
    }


def test_a_move_of_the_champion_is_a_hint():
    hint = read_webhook(signed(body()), body(), SECRET, NOW)
    assert hint is not None
    assert (hint.model, hint.signed_at) == ("flight-delay", NOW)


def test_another_alias_is_none():
    other = body(data={"name": "flight-delay", "alias": "blue", "version": "1"})
    assert read_webhook(signed(other), other, SECRET, NOW) is None


def test_an_event_without_an_alias_is_a_hint_too():
    lost = body(entity="registered_model", data={"name": "flight-delay"})
    assert read_webhook(signed(lost), lost, SECRET, NOW) is not None


REFUSED = {
    "not signed": {},
    "by another secret": signed(body(), secret="other"),
    "another body": signed(body(action="deleted")),
    "recorded": signed(body(), NOW - timedelta(minutes=6)),
    "from the future": signed(body(), NOW + timedelta(minutes=6)),
    "another delivery": {**signed(body()), "X-MLflow-Delivery-Id": "d-2"},
    "another time": {**signed(body()), "X-MLflow-Timestamp": str(int(NOW.timestamp()) + 1)},
    "no time": {**signed(body()), "X-MLflow-Timestamp": "now"},
    "no signature": {**signed(body()), "X-MLflow-Signature": ""},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_signed_is_refused(headers: dict[str, str]):
    with pytest.raises(BadSignature):
        read_webhook(headers, body(), SECRET, NOW)


def test_without_a_secret_nothing_is_taken():
    with pytest.raises(BadSignature, match="knows no secret"):
        read_webhook(signed(body(), secret=""), body(), None, NOW)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"1", b'{"data": 7}', b'{"data": {"name": 7}}', b"[" * 100_000],
    ids=["empty", "a list", "cut off", "a number", "no data", "no name", "deep"],
)
def test_what_is_no_webhook_is_refused(content: bytes):
    with pytest.raises(BadEvent):
        read_webhook(signed(content), content, SECRET, NOW)
