"""Events that others send: CloudEvents 1.0 and notifications of buckets. Pure: bytes and headers in, values out.

Sources: CloudEvents specification 1.0.2 with its JSON format, JSON batch format and HTTP protocol binding; Standard
Webhooks 1.0 for signatures; Amazon S3 event message structure 2.x, which MinIO, Ceph and SeaweedFS send as well.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, unquote_plus

from controller.domain.errors import UserError
from controller.domain.payloads import is_in_range

LARGEST_DELIVERY = 1 << 20
MOST_EVENTS = 1000
_SHOWN = 40
"""Characters of what somebody sent that an error repeats."""
TOLERANCE = timedelta(minutes=5)
"""How old or new a signed delivery may be; older ones may have been recorded and sent again."""

_CONTEXT = frozenset(
    {
        "id",
        "source",
        "specversion",
        "type",
        "datacontenttype",
        "dataschema",
        "subject",
        "time",
        "data",
        "data_base64",
    }
)


class BadEvent(UserError):
    """A delivery that is no event; answered with 400."""

    code = "bad_event"


class BadSignature(UserError):
    """A delivery whose sender is not proven; answered with 401."""

    code = "bad_signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudEvent:
    """An event. ``source`` and ``id`` together identify it: delivered twice, it is one event."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    data: Any = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The idempotency key of a signal that the event causes: the last colon is the one before the id."""
        identity = self.id.replace("%", "%25").replace(":", "%3A")
        return f"event:{self.source}:{identity}"


def parse_cloud_events(
    headers: Mapping[str, str], body: bytes, *, signed: bool = False
) -> tuple[CloudEvent, ...]:
    """The events of one delivery: structured, binary or a batch; raises :class:`BadEvent` with one sentence.

    ``signed``: the sender is known by a signature of the body alone. The binary mode is refused then, for its headers
    say what happened to which model, and nobody signed them.
    """
    if len(body) > LARGEST_DELIVERY:
        raise BadEvent(
            f"the delivery has {len(body):,} bytes, at most {LARGEST_DELIVERY:,} are taken."
        )
    lower = {name.lower(): value for name, value in headers.items()}
    kind = lower.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/cloudevents-batch+json":
        held = _json(body)
        if not isinstance(held, list):
            raise BadEvent("a batch of CloudEvents is a JSON list.")
        if len(held) > MOST_EVENTS:
            raise BadEvent(
                f"the batch has {len(held):,} events, at most {MOST_EVENTS:,} are taken."
            )
        return tuple(_structured(item) for item in held)
    if kind == "application/cloudevents+json":
        return (_structured(_json(body)),)
    if "ce-specversion" in lower and signed:
        raise BadEvent(
            "the event's attributes are headers, which the signature does not cover.",
            hint="Send it structured, as application/cloudevents+json, or with a token instead of a signature.",
        )
    if "ce-specversion" in lower:
        return (_binary(lower, kind, body),)
    raise BadEvent(
        "the delivery is no CloudEvent.",
        hint="Send application/cloudevents+json, or the headers ce-id, ce-source, ce-type and ce-specversion.",
    )


def _structured(held: Any) -> CloudEvent:
    if not isinstance(held, dict):
        raise BadEvent("a CloudEvent is a JSON object.")
    if "data" in held and "data_base64" in held:
        raise BadEvent("a CloudEvent has data or data_base64, not both.")
    data = held.get("data")
    if "data_base64" in held:
        try:
            data = base64.b64decode(str(held["data_base64"]), validate=True)
        except ValueError:  # binascii's, and that of text beyond ASCII
            raise BadEvent("data_base64 is no base64.") from None
    return _event(
        {name: value for name, value in held.items() if name not in {"data", "data_base64"}}, data
    )


def _binary(headers: Mapping[str, str], kind: str, body: bytes) -> CloudEvent:
    attributes = {
        name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if not body:
        return _event(attributes, None)
    is_json = kind in {"", "application/json"} or kind.endswith("+json")
    return _event(attributes, _json(body) if is_json else body)


def _event(attributes: Mapping[str, Any], data: Any) -> CloudEvent:
    for name in ("specversion", "id", "source", "type"):
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise BadEvent(f"the CloudEvent has no {name}.")
    if not attributes["specversion"].startswith("1."):
        raise BadEvent(
            f"the CloudEvent is of version {attributes['specversion'][:_SHOWN]!r}, expected 1.0."
        )
    subject = attributes.get("subject")
    return CloudEvent(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=None if subject is None else str(subject),
        time=_time(attributes.get("time")),
        data=data,
        extensions={name: value for name, value in attributes.items() if name not in _CONTEXT},
    )


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        raise BadEvent(f"the event's time {str(value)[:_SHOWN]!r} is no RFC 3339 time.") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not is_in_range(moment):
        raise BadEvent(
            f"the event's time {str(value)[:_SHOWN]!r} lies outside the years 1970 to 8999."
        )
    return moment.astimezone(UTC)


def _json(body: bytes | str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadEvent("the delivery's body is no JSON.") from None


# --- signatures -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A delivery that a known secret signed. ``name`` is the same whenever the same delivery is sent again.

    ``signed_at`` is None where the scheme has no time; then :func:`check_times` has to be asked.
    """

    name: str
    signed_at: datetime | None


def check_times(times: Sequence[datetime | None], now: datetime) -> None:
    """Raise :class:`BadSignature` unless every signed time is there and within :data:`TOLERANCE` of ``now``.

    ``X-Hub-Signature-256`` signs no time of its own: without one inside the body, a delivery that was recorded years
    ago would be good for ever.
    """
    minutes = int(TOLERANCE.total_seconds() // 60)
    for moment in times:
        if moment is None:
            raise BadSignature(
                "the delivery says no time, and X-Hub-Signature-256 signs none.",
                hint="Give each event its time (`time`, `eventTime`), or sign by Standard Webhooks.",
            )
        if abs(now - moment) > TOLERANCE:
            raise BadSignature(
                f"the delivery's time is more than {minutes} minutes from now.",
                hint="Sign by Standard Webhooks where events are sent later than they happen.",
            )


def verify_signature(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Proof:
    """What proves the sender; :class:`BadSignature` unless one of ``secrets`` signed this body.

    Two schemes are known: Standard Webhooks (``webhook-id``, ``webhook-timestamp``, ``webhook-signature``), which also
    refuses what is farther than :data:`TOLERANCE` from ``now``; and ``X-Hub-Signature-256: sha256=HEX``, the
    HMAC-SHA256 of the body. Several secrets are one being replaced by another. An empty list refuses everything.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if "webhook-signature" in lower:
        signed_at = _verify_standard(lower, body, secrets, now)
        return Proof(name=delivery_name(lower["webhook-id"], body), signed_at=signed_at)
    given = lower.get("x-hub-signature-256", "")
    wanted = [_sign(secret.encode(), body).hex() for secret in secrets]
    if not any(hmac.compare_digest(f"sha256={one}".encode(), given.encode()) for one in wanted):
        raise BadSignature(
            "the delivery is not signed by a secret that is known here.",
            hint="Sign it by Standard Webhooks, or with X-Hub-Signature-256.",
        )
    return Proof(name=delivery_name("", body), signed_at=None)


def delivery_name(name: str, body: bytes) -> str:
    """What a delivery is known by when it comes again: the digest of its id and its body."""
    return hashlib.sha256(name.encode() + b"\n" + body).hexdigest()


def _verify_standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> datetime:
    return verify_standard(
        name=headers.get("webhook-id", ""),
        stamp=headers.get("webhook-timestamp", ""),
        signatures=headers["webhook-signature"],
        body=body,
        keys=[_key(secret) for secret in secrets],
        now=now,
    )


def verify_standard(
    *, name: str, stamp: str, signatures: str, body: bytes, keys: Sequence[bytes], now: datetime
) -> datetime:
    """When the message ``name`` was signed by one of ``keys``, by Standard Webhooks 1.0; BadSignature if it was not.

    ``stamp`` is in seconds; what is farther than :data:`TOLERANCE` from ``now`` is refused.
    """
    if not name or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 11:
        raise BadSignature("the delivery has no id or timestamp beside its signature.")
    signed_at = datetime.fromtimestamp(int(stamp), UTC)
    if abs(now - signed_at) > TOLERANCE:
        minutes = int(TOLERANCE.total_seconds() // 60)
        raise BadSignature(f"the delivery was signed more than {minutes} minutes from now.")
    content = f"{name}.{stamp}.".encode() + body
    wanted = [base64.b64encode(_sign(key, content)) for key in keys]
    given = [part.partition(",") for part in signatures.split()]
    signed = [signature.encode() for version, _, signature in given if version == "v1"]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in signed):
        raise BadSignature("the delivery is not signed by a secret that is known here.")
    return signed_at


def _key(secret: str) -> bytes:
    """Standard Webhooks writes keys as ``whsec_`` and base64; anything else is taken as it is."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)


# --- buckets --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectEvent:
    """An object that was written to or removed from a bucket; ``address`` is its URL."""

    address: str
    created: bool
    at: datetime | None = None
    """When it was written, as the bucket says."""
    size: int | None = None
    etag: str | None = None
    sequencer: str | None = None


def parse_bucket_events(body: bytes) -> tuple[ObjectEvent, ...]:
    """The objects of an S3 notification, bare, in an SNS envelope, or of EventBridge; BadEvent if it is none.

    The message that a bucket sends to try a new target out has no objects, and is no error.
    """
    if len(body) > LARGEST_DELIVERY:
        raise BadEvent(
            f"the notification has {len(body):,} bytes, at most {LARGEST_DELIVERY:,} are taken."
        )
    held = _json(body)
    if isinstance(held, dict) and held.get("Type") == "Notification" and "Message" in held:
        held = _json(str(held["Message"]))
    if not isinstance(held, dict):
        raise BadEvent("a bucket's notification is a JSON object.")
    if held.get("Event") == "s3:TestEvent":
        return ()
    if held.get("source") == "aws.s3":
        return (_bridged(held),)
    records = held.get("Records")
    if not isinstance(records, list) or len(records) > MOST_EVENTS:
        raise BadEvent("the notification has no list of Records.")
    return tuple(_record(record) for record in records)


def _record(record: Any) -> ObjectEvent:
    try:
        bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
        name = str(record["eventName"]).removeprefix("s3:")
        return ObjectEvent(
            address=_address(bucket, unquote_plus(str(item["key"]))),
            created=name.startswith("ObjectCreated"),
            at=_time(record.get("eventTime")),
            size=_size(item.get("size")),
            etag=item.get("eTag"),
            sequencer=item.get("sequencer"),
        )
    except (KeyError, TypeError, AttributeError):
        raise BadEvent("a record of the notification names no bucket and object.") from None


def _bridged(held: Mapping[str, Any]) -> ObjectEvent:
    try:
        bucket, item = held["detail"]["bucket"]["name"], held["detail"]["object"]
        return ObjectEvent(
            address=_address(bucket, item["key"]),
            created=held.get("detail-type") == "Object Created",
            at=_time(held.get("time")),
            size=_size(item.get("size")),
            etag=item.get("etag"),
            sequencer=item.get("sequencer"),
        )
    except (KeyError, TypeError, AttributeError):
        raise BadEvent("the event names no bucket and object.") from None


def _address(bucket: object, key: object) -> str:
    address = f"s3://{bucket}/{key}"
    try:
        address.encode()
    except UnicodeEncodeError:
        raise BadEvent("the name of a bucket or object in the notification is no text.") from None
    return address


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
