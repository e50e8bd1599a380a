"""Fuzzing of what strangers send: ``python tests/fuzz/fuzz_doors.py DOOR [SECONDS]``.

A door is ``events`` (CloudEvents), ``bucket`` (notifications of buckets) or ``payloads`` (the payload of every kind of
signal). Guided by coverage where `atheris` is installed, blind otherwise. Whatever the bytes, reading them ends in
values that can be stored or in an error with one printable sentence: another exception, more than a second, or more
than 200 MB above the start ends the run.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from tests.fuzz.drive import drive, instrumented  # noqa: E402 - beside this file, which runs as a script

with instrumented("controller"):
    from controller.adapters.sources.events import parse_bucket_events, parse_cloud_events
    from controller.domain.canonical import canonical_json
    from controller.domain.errors import UserError
    from controller.domain.payloads import check_signal
    from controller.domain.signals import NewSignal, SignalKind
    from tests.support.nonsense import VALID

MOST_SECONDS = 1.0
MOST_KILOBYTES = 200 * 1024
LONGEST = 100_000
KINDS = tuple(SignalKind)
AT = datetime(2013, 1, 1, tzinfo=UTC)
START = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
CLOUD = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def events(text: bytes) -> None:
    """A delivery in one of the three modes; what is read of it must be a signal or be refused as one."""
    mode, body = text[:1], text[1:]
    if mode == b"b":
        head, _, body = body.partition(b"\n\n")
        names = ("ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "content-type")
        values = (head.decode("latin-1").split("\n") + [""] * len(names))[: len(names)]
        headers: Mapping[str, str] = dict(zip(names, values, strict=True))
    else:
        headers = BATCH if mode == b"l" else CLOUD
    for event in parse_cloud_events(headers, body):
        said = {"type": event.type, "source": event.source, "id": event.id}
        data = event.data.hex() if isinstance(event.data, bytes) else event.data
        kept(SignalKind.WEBHOOK, said | {"data": data}, event.time or AT, event.key)


def bucket(text: bytes) -> None:
    """A notification: every object that it names has an address, which can be written down."""
    for event in parse_bucket_events(text):
        if not event.address.encode().startswith(b"s3://"):
            raise AssertionError("an object of a bucket has an address")


def payloads(text: bytes) -> None:
    """The first byte is the kind, the rest its payload as JSON."""
    try:
        payload = json.loads(text[1:])
    except (ValueError, RecursionError):
        return
    kept(KINDS[text[0] % len(KINDS)], payload, AT, "k")


def kept(kind: SignalKind, payload: object, at: datetime, key: str) -> None:
    """What passes the check can be written down."""
    signal = NewSignal(key=key, model="m", kind=kind, occurred_at=at, payload=payload)  # type: ignore[arg-type]
    check_signal(signal)
    canonical_json(signal.payload).encode()


DOORS: Mapping[str, Callable[[bytes], None]] = {
    "events": events,
    "bucket": bucket,
    "payloads": payloads,
}


def guarded(door: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """One input, with its limits of time and memory and the form of a refusal."""

    def fuzz(text: bytes) -> None:
        began = time.process_time()
        try:
            door(text)
        except UserError as refused:
            if not refused.sentence().isprintable() or len(refused.sentence()) > 2_000:
                raise AssertionError("a refusal is one readable line") from refused
        took = time.process_time() - began
        if took > MOST_SECONDS:
            raise AssertionError(f"{len(text)} bytes took {took:.2f} s")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - START
        if grown > MOST_KILOBYTES:
            raise AssertionError(f"{grown // 1024} MB were taken")

    return fuzz


def corpus(folder: Path) -> None:
    """Good input of every door to begin with."""
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"rows": 1}}
    record = {
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "size": 1}},
    }
    bridged = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}},
    }
    notice = {"Records": [record]}
    seeds = {
        "event": b"s" + json.dumps(event | {"time": "2013-01-01T00:00:00Z"}).encode(),
        "binary-data": b"s" + json.dumps(event | {"data_base64": "AAE="}).encode(),
        "batch": b"l" + json.dumps([event, event]).encode(),
        "binary": b"b1.0\n1\n/s\nt\n2013-01-01T00:00:00Z\napplication/json\n\n{}",
        "bucket": json.dumps(notice).encode(),
        "envelope": json.dumps({"Type": "Notification", "Message": json.dumps(notice)}).encode(),
        "bridged": json.dumps(bridged).encode(),
        "test": b'{"Event": "s3:TestEvent"}',
        **{
            kind.value: bytes([place]) + json.dumps(dict(VALID[kind])).encode()
            for place, kind in enumerate(KINDS)
        },
    }
    for name, text in seeds.items():
        (folder / name).write_bytes(text)


def main() -> None:
    """Fuzz one door for so many seconds (600)."""
    if len(sys.argv) < 2 or sys.argv[1] not in DOORS:
        sys.exit(f"Name a door: {', '.join(DOORS)}.")
    seconds = sys.argv[2] if len(sys.argv) > 2 else "600"
    with tempfile.TemporaryDirectory() as place:
        corpus(Path(place))
        drive(guarded(DOORS[sys.argv[1]]), Path(place), seconds, f"-max_len={LONGEST}")


if __name__ == "__main__":
    main()
