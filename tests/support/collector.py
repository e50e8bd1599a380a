"""A real collector of OpenTelemetry: it speaks OTLP over HTTP and keeps the spans that arrive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.serving import serving


@dataclass(frozen=True, slots=True)
class Got:
    """A span as it arrived."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    start: int
    end: int
    error: str
    links: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass
class Collected:
    """What arrived so far."""

    url: str = ""
    requests: int = 0
    spans: list[Got] = field(default_factory=list)

    def named(self, name: str) -> list[Got]:
        return [span for span in list(self.spans) if span.name == name]


@contextmanager
def collecting() -> Iterator[Collected]:
    """A collector on a free port."""
    held = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            held.requests += 1
            held.spans.extend(_read(body, self.headers.get("content-encoding", "")))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield held


def _read(body: bytes, encoding: str) -> Iterator[Got]:
    assert not encoding
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    for resource in request.resource_spans:
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Got(
                    service=names["service.name"],
                    name=span.name,
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    error=span.status.message,
                    links=tuple(link.trace_id.hex() for link in span.links),
                    attributes={one.key: _value(one.value) for one in span.attributes},
                )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
