"""A web server that records who came, for tests that nobody must come to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Recorder(ThreadingHTTPServer):
    """Serves ``files``, sends to ``elsewhere`` whoever asks for what it has not, and keeps who came.

    ``always`` answers everything else.
    """

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.visits: list[str] = []
        self.files: dict[str, bytes] = {}
        self.elsewhere = ""
        self.headers: dict[str, str] = {}
        self.always = b""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_GET(self) -> None:
        self.server.visits.append(self.path)
        body = self.server.files.get(self.path, self.server.always)
        if not body and self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
        else:
            self.send_response(200 if body else 404)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the name of the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def recording(host: str = "127.0.0.1") -> Iterator[Recorder]:
    server = Recorder(host)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
