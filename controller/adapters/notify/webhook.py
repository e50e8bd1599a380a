"""Signed webhooks: a structured CloudEvent (1.0) over HTTP, signed by Standard Webhooks (HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import requests

from controller.adapters.notify.guard import guarded
from controller.domain.errors import Unavailable
from controller.ports import Message

TYPE = "incumbent.notices"
"""The type of the event; ``data.notices`` says what happened."""

_CONNECT, _READ = 5.0, 10.0
_WORDS = 200
_PREFIX = "whsec_"


class WebhookSender:
    """One receiver. A status of 2xx means that it has the message; everything else is tried again."""

    def __init__(
        self, label: str, url: str, secret: str, *, source: str, allowed: Collection[str] = ()
    ) -> None:
        self.label = label
        self._url = url
        self._secret = secret
        self._source = source
        self._allowed = tuple(allowed)

    def send(self, message: Message) -> None:
        body = json.dumps(self._event(message), ensure_ascii=False).encode()
        headers = {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": "incumbent",
            **signed(message.key, body, self._secret, datetime.now(UTC)),
        }
        try:
            with guarded(self._allowed), requests.Session() as session:
                session.trust_env = (
                    False  # no password from a .netrc, no proxy that nobody named here
                )
                answer = session.post(
                    self._url, data=body, headers=headers, timeout=(_CONNECT, _READ),
                    allow_redirects=False, stream=True,
                )  # fmt: skip
                with answer:
                    _judge(answer)
        except requests.RequestException as error:
            raise Unavailable(f"{self.label} did not answer: {type(error).__name__}.") from error

    def _event(self, message: Message) -> Mapping[str, Any]:
        models = {str(one["model"]) for one in message.data.get("notices", ())}
        subject = {"subject": models.pop()} if len(models) == 1 else {}
        trace = message.data.get("traceparent")
        return {
            "specversion": "1.0",
            "id": message.key,
            "source": self._source,
            "type": TYPE,
            **subject,
            "time": message.at.isoformat(),
            "datacontenttype": "application/json",
            **({"traceparent": trace} if trace else {}),
            "data": {"channel": message.channel, "subject": message.subject, **message.data},
        }


def _judge(answer: requests.Response) -> None:
    if 200 <= answer.status_code < 300:
        return
    if 300 <= answer.status_code < 400:
        raise Unavailable(
            f"The receiver answered {answer.status_code} and wants to send us elsewhere,"
            " which is not followed.",
            hint="Configure the address that it redirects to.",
        )
    said = next(answer.iter_content(_WORDS), b"").decode("utf-8", "replace")
    words = " ".join(said.split())[:_WORDS]
    wait = answer.headers.get("retry-after", "")
    details: dict[str, object] = {"retry_after": int(wait)} if wait.isdecimal() else {}
    raise Unavailable(
        f"The receiver answered {answer.status_code}{f': {words}' if words else ''}.",
        details=details,
    )


def signed(key: str, body: bytes, secret: str, now: datetime) -> Mapping[str, str]:
    """The headers by which a receiver knows who sent ``body``, and when."""
    stamp = str(int(now.timestamp()))
    digest = hmac.digest(_key(secret), f"{key}.{stamp}.".encode() + body, hashlib.sha256)
    mark = base64.b64encode(digest).decode()
    return {
        "webhook-id": key,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mark}",
    }


def _key(secret: str) -> bytes:
    """Standard Webhooks writes keys as ``whsec_`` and base64; anything else is taken as it is."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
