"""Spans to an OpenTelemetry collector, by OTLP over HTTP."""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from controller import __version__
from controller.domain.errors import ConfigurationError
from controller.domain.tracing import Span, SpanContext, SpanKind

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)

_PATIENCE = 3.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_place: ContextVar[SpanContext] = ContextVar("place")


class OtelTracer:
    """One process's tracer. ``at_once`` sends each span when it is told, for processes that end without a word."""

    def __init__(self, exporter: SpanExporter, service: str, *, at_once: bool = False) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        class Derived(IdGenerator):
            """The ids of the span that is being told."""

            def generate_span_id(self) -> int:
                return int(_place.get().span, 16)

            def generate_trace_id(self) -> int:
                return int(_place.get().trace, 16)

        resource = Resource.create({"service.name": service, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, id_generator=Derived())
        processor = SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("incumbent", __version__)
        self._lock = threading.Lock()

    def record(self, span: Span) -> None:
        try:
            self._record(span)
        except Exception as error:  # noqa: BLE001 - a trace that is lost harms nobody
            log.debug("span lost", extra={"action": "trace", "why": str(error)})

    def flush(self) -> None:
        self._provider.force_flush(int(_PATIENCE * 1000))

    def _record(self, span: Span) -> None:
        from opentelemetry.trace import Link, Status, StatusCode
        from opentelemetry.trace import SpanKind as Kind

        kinds = {
            SpanKind.INTERNAL: Kind.INTERNAL,
            SpanKind.SERVER: Kind.SERVER,
            SpanKind.PRODUCER: Kind.PRODUCER,
            SpanKind.CONSUMER: Kind.CONSUMER,
            SpanKind.CLIENT: Kind.CLIENT,
        }
        token = _place.set(span.place)
        try:
            told = self._tracer.start_span(
                span.name,
                context=_context(span.parent),
                kind=kinds[span.kind],
                attributes=dict(span.attributes),
                links=[Link(_remote(place)) for place in span.links],
                start_time=_nanoseconds(span.start),
            )
        finally:
            _place.reset(token)
        if span.error:
            told.set_status(Status(StatusCode.ERROR, span.error))
        told.end(_nanoseconds(max(span.start, span.end)))


def open_tracer(url: str, service: str, *, at_once: bool = False) -> OtelTracer:
    """A tracer that sends to the collector at ``url``; ConfigurationError if that is none, or the extra is missing."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ConfigurationError(
            f"INCUMBENT_TRACES_URL is {url!r}, without http:// or https://.",
            hint="Write the collector's address, such as http://127.0.0.1:4318.",
        )
    if find_spec("opentelemetry.exporter") is None or find_spec("opentelemetry.sdk") is None:
        raise ConfigurationError(
            "Traces need the extra `telemetry`.", hint="pip install 'incumbent[telemetry]'"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger("opentelemetry").setLevel(
        logging.CRITICAL
    )  # a collector that is away is no news
    target = url if url.rstrip("/").endswith("/v1/traces") else url.rstrip("/") + "/v1/traces"
    return OtelTracer(
        OTLPSpanExporter(endpoint=target, timeout=_PATIENCE), service, at_once=at_once
    )


def _remote(place: SpanContext) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(
        int(place.trace, 16), int(place.span, 16), is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )  # fmt: skip


def _context(parent: SpanContext | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    if parent is None:
        return Context()
    return set_span_in_context(NonRecordingSpan(_remote(parent)), Context())


def _nanoseconds(moment: datetime) -> int:
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1000
