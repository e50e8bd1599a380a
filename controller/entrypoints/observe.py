"""`/healthz`, `/readyz` and `/metrics` beside a controller: a server of its own, so that no page is needed.

It answers from memory (:mod:`controller.service.observe.observer`), also while the database does not. It knows no
logins: it belongs on an address that only the platform reaches.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from controller.domain.errors import ConfigurationError, Unavailable
from controller.service.loops.readiness import ready
from controller.service.observe.observer import Observer

JSON = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What is sent back."""

    status: int
    body: bytes
    kind: str = JSON


class Probes:
    """The three answers, at the page's server and at the controller's own.

    Without ``names`` no figure names a model. Whether `/readyz` names one was said to the observer.
    """

    def __init__(self, observer: Observer, *, names: bool = True) -> None:
        from controller.adapters.prometheus import Exposition

        self._observer = observer
        self._refusal = ""
        self._exposition: Exposition | None = None
        try:
            self._exposition = Exposition(observer, names=names)
        except ConfigurationError as error:
            self._refusal = error.sentence()

    def health(self) -> HttpAnswer:
        """Whether the process is worth keeping. A database that does not answer is no reason to restart it."""
        stuck = self._observer.stuck()
        body = {"alive": not stuck, "stuck": stuck}
        return HttpAnswer(status=500 if stuck else 200, body=_json(body))

    def readiness(self) -> HttpAnswer:
        """Whether it can do its work now, and each condition by name."""
        found = self._observer.conditions()
        holds = bool(found) and ready(found)
        rows = [
            {
                "name": one.name,
                "ok": one.ok,
                "sentence": one.sentence,
                "hint": one.hint,
                "needed": one.needed,
            }
            for one in found
        ]
        body = {"ready": holds, "leads": self._observer.leads(), "conditions": rows}
        return HttpAnswer(status=200 if holds else 503, body=_json(body))

    def metrics(self) -> HttpAnswer:
        """The exposition for Prometheus."""
        from controller.adapters.prometheus import CONTENT_TYPE

        if self._exposition is None:
            return HttpAnswer(status=501, body=f"{self._refusal}\n".encode(), kind="text/plain")
        return HttpAnswer(status=200, body=self._exposition.text(), kind=CONTENT_TYPE)

    def at(self, path: str) -> Callable[[], HttpAnswer] | None:
        """The probe of an address."""
        known = {"/healthz": self.health, "/readyz": self.readiness, "/metrics": self.metrics}
        return known.get(path.partition("?")[0])


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


class ObserveServer:
    """Serves the probes from entering the block until leaving it."""

    def __init__(self, probes: Probes, host: str, port: int) -> None:
        self._probes, self._host, self._wanted = probes, host, port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        probes = self._probes

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "incumbent", ""
            timeout = 10

            def do_GET(self) -> None:
                probe = probes.at(self.path)
                answer = probe() if probe else HttpAnswer(status=404, body=b"{}\n")
                self.send_response(answer.status)
                self.send_header("content-type", answer.kind)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(answer.body)

            do_HEAD = do_GET  # noqa: N815 - the names are those of the library

            def log_message(self, *_: Any) -> None:
                """A scrape every few seconds is no news."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A scraper that went away is no news."""

        try:
            self._server = Server((self._host, self._wanted), Handler)
        except OSError as error:
            raise Unavailable(
                f"/metrics cannot listen on {self._host}:{self._wanted}: {error.strerror}.",
                hint="Choose another INCUMBENT_OBSERVE_PORT.",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="observe-server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        port = self._server.server_port if self._server else self._wanted
        return f"http://{self._host}:{port}/"
