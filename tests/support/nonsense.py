"""A grammar of nonsense: what a careless or hostile sender puts into the payload of a signal.

One grammar for both kinds of machine: every function draws from a ``random.Random``, which a simulation seeds and
Hypothesis controls and shrinks (:func:`nonsense_payloads`, :func:`nonsense_values`, :func:`signals_of_nonsense`).
``as_sent`` tells what can travel as JSON from what only a caller inside the process could hand over.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from controller.domain.signals import SignalKind

DIGEST = "5f" * 32
DUE = "2013-02-01T03:00:00.000000Z"

VALID: Mapping[SignalKind, Mapping[str, Any]] = {
    SignalKind.SCHEDULE: {"due": DUE, "missed": 2},
    SignalKind.NEW_DATA: {
        "uri": "data/flights/2013-02.parquet",
        "rows": 12_000,
        "size": 1_048_576,
        "digest": DIGEST,
        "sequence": 7,
        "files": 1,
        "time_min": "2013-02-01T00:00:00Z",
        "time_max": "2013-02-28T23:00:00Z",
    },
    SignalKind.DRIFT: {"columns": {"distance": {"psi": 0.31}}, "n": 5_000},
    SignalKind.DECAY: {
        "metric": "mae",
        "value": 21.5,
        "reference": 17.0,
        "labels": 4_000,
        "p_worse": 0.001,
    },
    SignalKind.SKEW: {"columns": {"carrier": {"jensen_shannon": 0.2}}, "n": 900},
    SignalKind.WEBHOOK: {
        "type": "com.example.labels.ready",
        "source": "/labels",
        "id": "17",
        "subject": "aaa",
        "data": {"rows": 9, "deep": [1, {"a": None}]},
    },
    SignalKind.MANUAL: {"reason": "labels were fixed"},
    SignalKind.SERVED: {"uri": "served/1.parquet", "rows": 900, "sequence": 3},
    SignalKind.SCHEMA_CHANGED: {
        "uri": "data/flights/2013-03.parquet",
        "sequence": 8,
        "added": ["gate"],
        "removed": [],
        "retyped": {"distance": "int64 → string"},
        "sentence": "The columns changed: 1 new (gate)",
    },
    SignalKind.QUARANTINED: {"sequence": 8, "uri": "data/8.parquet", "sentence": "batch 8 rests"},
    SignalKind.RUN_FINISHED: {"run": "aaa.r1", "kind": "train", "state": "done", "reason": ""},
    SignalKind.RUN_FAILED: {
        "run": "aaa.r1",
        "kind": "train",
        "state": "failed",
        "reason": "it ended with code 1",
    },
    SignalKind.METRIC: {
        "metric": "mae",
        "value": 19.0,
        "n": 800,
        "std": 3.0,
        "version": 1,
    },
    SignalKind.LIFECYCLE: {"version": 1, "reason": "retired"},
    SignalKind.APPROVAL: {
        "version": 2,
        "agrees": True,
        "evidence": DIGEST,
        "groups": ["ml-leads"],
        "reason": "looks right",
    },
    SignalKind.PROMOTE: {"version": 2, "reason": "needed today", "expect_version": 1},
    SignalKind.REJECT: {"version": 2, "reason": "late labels look bad"},
    SignalKind.ROLLBACK: {"reason": "too slow", "expect_version": 2, "force": True, "to": 1},
    SignalKind.HOLD: {"reason": "a fair this week"},
    SignalKind.RELEASE: {"reason": "the fair is over"},
    SignalKind.RELEASE_BATCH: {
        "sequence": 8,
        "uri": "data/8.parquet",
        "rows": 100,
        "files": 1,
        "reason": "it was right",
    },
    SignalKind.CANCEL: {"run": "aaa.r1", "reason": "wrong data"},
    SignalKind.ALIAS: {"alias": "shop", "version": 1, "expect_version": 2, "reason": "try it"},
    SignalKind.DEPRECATE: {"version": 1, "reason": "replaced", "sunset": DUE, "firm": True},
    SignalKind.ARCHIVE: {"version": 1, "reason": "replaced"},
    SignalKind.RESTORE: {"version": 1, "reason": "needed again"},
    SignalKind.RETAIN: {"versions": [1, 2], "reason": "the disk is full"},
    SignalKind.DRILL: {"reason": "the yearly drill"},
    SignalKind.DISMISS: {"signal": 7, "reason": "it was sent twice"},
    SignalKind.FOREIGN_MOVE: {
        "found": 3,
        "may_adopt": False,
        "entered_by": "somebody",
        "generation": 1,
    },
}
"""A payload of each kind that every door takes; what is near it and wrong comes from :func:`near_valid`."""

NUMBERS: tuple[Any, ...] = (
    *(
        sign * (1 << power) + step
        for power in (7, 15, 31, 32, 53, 63, 64, 70)
        for sign in (1, -1)
        for step in (-1, 0, 1)
    ),
    10**400,
    0,
    -1,
    1,
    -0.0,
    0.1,
    5e-324,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    202611301200,
)
TEXTS: tuple[str, ...] = (
    "",
    " ",
    "1",
    "NaN",
    "null",
    "true",
    "\x00",
    "a\x00b",
    "\n\r\t",
    "\x1b[2J",
    "\u202eevil",
    "\u200b",
    "\ud800",
    "x\udfffy",
    "\U0010ffff",
    "\ufeff",
    "e\u0301" * 50,
    "\u0430dmin",
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "'; DROP TABLE signals; --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "%s%n",
    "x" * 300,
    "x" * 10_000,
    "\U0001f600" * 3_000,
)
TIMES: tuple[str, ...] = (
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00-14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59+14:00",
    "1969-12-31T23:59:59Z",
    "2013-02-30T00:00:00Z",
    "2013-02-01",
    "2013-02-01T00:00:00",
    "2013-02-01T00:00:00+24:00",
    "2013-02-01T24:00:00Z",
    "2013-W05-1T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "99999999999999999999",
    "now",
)
NAMES: tuple[str, ...] = (
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "C:\\models",
    "https://example.com/model",
    "s3://bucket/model",
    "a\x00b",
    "a\nb",
    "\x1b[31mred",
    "\u202emodel",
    "mod\u200bel",
    "m\u043edel",  # a Cyrillic o
    "\ud800",
    " model",
    "model ",
    ".",
    "..",
    "x" * 10_000,
    "",
)
"""Names that no model may have."""

_KEYS = (
    "version",
    "versions",
    "to",
    "run",
    "alias",
    "type",
    "metric",
    "value",
    "n",
    "rows",
    "data",
)


def nonsense_value(rng: random.Random, depth: int = 3) -> Any:
    """Anything: a scalar from the edges, or a small container of anything."""
    if depth > 0 and rng.random() < 0.35:
        return rng.choice(_CONTAINERS)(rng, depth - 1)
    return rng.choice(_SCALARS)(rng)


def nonsense_key(rng: random.Random) -> str:
    """A key of a payload: one that means something somewhere, or any text."""
    return str(rng.choice(_KEYS if rng.random() < 0.6 else TEXTS))


def nonsense_payload(rng: random.Random, kind: SignalKind) -> dict[str, Any]:
    """A payload of ``kind``: wholly invented, or a valid one with a part of it spoilt (two of three)."""
    if rng.random() < 1 / 3:
        return {
            nonsense_key(rng): nonsense_value(rng) for _ in range(rng.randrange(6))
        } | _maybe_fields(rng, kind)
    return near_valid(rng, kind)


def near_valid(rng: random.Random, kind: SignalKind) -> dict[str, Any]:
    """The valid payload of ``kind`` after one small accident, at its top or somewhere inside."""
    payload = deepcopy(dict(VALID[kind]))
    rng.choice(_ACCIDENTS)(rng, payload)
    return payload


def nonsense_name(rng: random.Random) -> str:
    """A name that no model may have."""
    return rng.choice(NAMES)


def too_large() -> Mapping[str, dict[str, Any]]:
    """Payloads that are refused for their size alone: 10 MB, 10,000 keys, 1,000 levels, a list without an end."""
    deep: Any = "the bottom"
    for _ in range(1_000):
        deep = {"a": deep}
    nested: Any = 1
    for _ in range(1_000):
        nested = [nested]
    return {
        "10 MB": {"reason": "x" * 10_000_000},
        "10 MB of data": {"type": "t", "data": {"x": "y" * 10_000_000}},
        "10,000 keys": {f"key{number}": number for number in range(10_000)},
        "10,000 keys of data": {"type": "t", "data": {f"k{n}": n for n in range(10_000)}},
        "1,000 levels": {"reason": deep},
        "1,000 levels of data": {"type": "t", "data": nested},
        "1,000,000 items": {"versions": list(range(1_000_000))},
        "a number of 10,000 digits": {"version": 10**10_000},
    }


def as_sent(payload: Any) -> bytes | None:
    """The payload as the body of a request; None where JSON has no words for it (lone surrogates it has)."""
    try:
        return json.dumps(payload).encode()
    except (ValueError, TypeError, RecursionError):
        return None


@st.composite
def nonsense_values(draw: st.DrawFn) -> Any:
    """Hypothesis: any value."""
    return nonsense_value(draw(st.randoms(use_true_random=False)))


@st.composite
def nonsense_payloads(draw: st.DrawFn, kind: SignalKind) -> dict[str, Any]:
    """Hypothesis: a payload of one kind."""
    return nonsense_payload(draw(st.randoms(use_true_random=False)), kind)


@st.composite
def signals_of_nonsense(
    draw: st.DrawFn, kinds: tuple[SignalKind, ...] = tuple(SignalKind)
) -> tuple[SignalKind, dict[str, Any]]:
    """Hypothesis: a kind and a payload of it."""
    kind = draw(st.sampled_from(kinds))
    return kind, draw(nonsense_payloads(kind))


@contextmanager
def behind_the_doors() -> Iterator[None]:
    """Inside it the stores keep whatever they are given: what the engine meets if every door had failed."""
    with (
        patch("controller.adapters.memory.signals.check_signals", lambda signals: signals),
        patch("controller.adapters.sql.signals.check_signals", lambda signals: signals),
    ):
        yield


# --- the parts ------------------------------------------------------------------------------------------------


def _number(rng: random.Random) -> Any:
    return rng.choice(NUMBERS)


def _text(rng: random.Random) -> str:
    return rng.choice(TEXTS)


def _time(rng: random.Random) -> str:
    return rng.choice(TIMES)


def _word(rng: random.Random) -> Any:
    return rng.choice((None, True, False))


def _list(rng: random.Random, depth: int) -> list[Any]:
    return [nonsense_value(rng, depth) for _ in range(rng.randrange(4))]


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    return {nonsense_key(rng): nonsense_value(rng, depth) for _ in range(rng.randrange(4))}


def _tower(rng: random.Random, depth: int) -> Any:
    """Nested deeper than anything that means something."""
    tower = nonsense_value(rng, min(depth, 0))
    for level in range(rng.choice((10, 40, 200))):
        tower = [tower] if level % 2 else {"a": tower}
    return tower


def _many(rng: random.Random, depth: int) -> Any:
    """Very many small things."""
    del depth
    count = rng.choice((101, 1_001, 5_000))
    return rng.choice(([0] * count, {f"k{n}": n for n in range(count)}))


_SCALARS: tuple[Callable[[random.Random], Any], ...] = (
    _number,
    _number,
    _text,
    _text,
    _time,
    _word,
)
_CONTAINERS: tuple[Callable[[random.Random, int], Any], ...] = (
    _list,
    _list,
    _object,
    _object,
    _object,
    _tower,
    _many,
)


def _maybe_fields(rng: random.Random, kind: SignalKind) -> dict[str, Any]:
    """Some fields that the kind knows, each with anything in it."""
    known = sorted(VALID[kind])
    return {name: nonsense_value(rng) for name in known if rng.random() < 0.5}


def _spoil(rng: random.Random, payload: dict[str, Any]) -> None:
    payload[rng.choice(sorted(payload))] = nonsense_value(rng)


def _leave_out(rng: random.Random, payload: dict[str, Any]) -> None:
    del payload[rng.choice(sorted(payload))]


def _add(rng: random.Random, payload: dict[str, Any]) -> None:
    payload[nonsense_key(rng)] = nonsense_value(rng)


def _retype(rng: random.Random, payload: dict[str, Any]) -> None:
    """The right value in the wrong type: a text for a number, a list of it, an object around it."""
    name = rng.choice(sorted(payload))
    value = payload[name]
    payload[name] = rng.choice((str(value), [value], {"value": value}, [value] * 101, None))


def _inside(rng: random.Random, payload: dict[str, Any]) -> None:
    """Spoil something inside a container, where there is one."""
    held = [name for name in sorted(payload) if isinstance(payload[name], (dict, list))]
    if not held:
        return _spoil(rng, payload)
    inner = payload[rng.choice(held)]
    if isinstance(inner, list):
        return inner.append(nonsense_value(rng))
    if inner and rng.random() < 0.7:
        name = rng.choice(sorted(inner))
        if isinstance(inner[name], dict) and rng.random() < 0.7:
            inner = inner[name]
            name = nonsense_key(rng)
        inner[name] = nonsense_value(rng)
        return None
    inner[nonsense_key(rng)] = nonsense_value(rng)
    return None


_ACCIDENTS: tuple[Callable[[random.Random, dict[str, Any]], None], ...] = (
    _spoil,
    _spoil,
    _spoil,
    _leave_out,
    _add,
    _retype,
    _inside,
    _inside,
)
