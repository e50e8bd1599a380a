"""Names of traces and spans, derived from what they describe, so that every process finds the same ones.

A trace is the story of one signal: the decision that answered it, the runs that were ordered, their ends (signals
again), up to the promotion. Its id follows from the signal's key and the time it was received; a span's id from its
kind and name within the trace. Nothing has to be remembered or passed on, and what is told twice is one span.
Formats: W3C Trace Context, https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.domain.canonical import format_time
from controller.domain.signals import Signal

_HEADER = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class SpanKind(StrEnum):
    """Which side of a message a span is on."""

    INTERNAL = "internal"
    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    CLIENT = "client"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanContext:
    """A span by its ids: 32 and 16 hexadecimal digits."""

    trace: str
    span: str

    @property
    def header(self) -> str:
        """As ``traceparent`` carries it."""
        return f"00-{self.trace}-{self.span}-01"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Something that took time, told after it ended. ``error`` is the sentence why it failed, empty if it did not."""

    name: str
    place: SpanContext
    parent: SpanContext | None
    start: datetime
    end: datetime
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[SpanContext, ...] = ()
    error: str = ""


def trace_of(signal: Signal) -> str:
    """The trace that begins with this signal."""
    return _digest(f"trace:{signal.key}:{format_time(signal.received_at)}")[:32]


def trace_named(name: object) -> str:
    """The trace of something that no signal began."""
    return _digest(f"trace:{name}")[:32]


def place_of(trace: str, kind: str, name: object) -> SpanContext:
    """The span of a thing within a trace: ``signal`` and its number, ``decision``, ``ring``, ``run`` and its fence."""
    return SpanContext(trace=trace, span=_digest(f"{trace}:{kind}:{name}")[:16])


def read_header(text: str | None) -> SpanContext | None:
    """The place that a ``traceparent`` names; None if it is none."""
    found = _HEADER.fullmatch(text or "")
    if found is None or int(found[1], 16) == 0 or int(found[2], 16) == 0:
        return None
    return SpanContext(trace=found[1], span=found[2])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
