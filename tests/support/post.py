"""Places that messages arrive at: a real mail server, and a real HTTP server that can be told how to behave."""

from __future__ import annotations

import email
import email.policy
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.postgres import free_port
from tests.support.serving import serving


@dataclass
class Hit:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server. ``status`` is what it answers, ``location`` where it redirects, ``slow`` how long it waits."""

    status: int = 200
    location: str = ""
    slow: float = 0.0
    retry_after: str = ""
    hits: list[Hit] = field(default_factory=list)
    url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """A receiver that listens on a free port."""
    held = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            held.hits.append(Hit(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if held.slow:
                time.sleep(held.slow)
            self.send_response(held.status)
            if held.location:
                self.send_header("location", held.location)
            if held.retry_after:
                self.send_header("retry-after", held.retry_after)
            said = b"ok" if held.status == 200 else b"no room at the inn"
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:  # a redirect of 302 turns one into the other
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield held


@dataclass
class Mailbox:
    """A mail server that keeps what arrives."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @property
    def texts(self) -> list[str]:
        """The plain text of each mail."""
        bodies = [mail.get_body(("plain", "html")) for mail in self.mails]
        return [body.get_content() if body is not None else "" for body in bodies]

    @property
    def url(self) -> str:
        """As Apprise writes it."""
        return f"mailto://127.0.0.1:{self.port}/?from=incumbent@example.org&to=ana@example.org&mode=insecure"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox on a free port."""
    held = Mailbox(port=free_port())
    server = Controller(held, hostname="127.0.0.1", port=held.port)
    server.start()
    try:
        yield held
    finally:
        server.stop()
