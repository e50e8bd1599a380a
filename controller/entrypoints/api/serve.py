"""Runs the application in a thread of its own, beside a controller or alone."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from controller.bootstrap import page_key
from controller.domain.errors import Unavailable
from controller.entrypoints.api.app import create_app, open_app_context
from controller.entrypoints.api.context import LoginLinks
from controller.ports import Store
from controller.settings import Settings

_START_WITHIN = 20.0


class Server:
    """Serves from entering the block until leaving it."""

    def __init__(self, settings: Settings, store: Store, **app_context: Any) -> None:
        self.settings = settings
        self.app_context = open_app_context(settings, store, **app_context)
        config = uvicorn.Config(
            create_app(self.app_context),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=3,
            limit_concurrency=settings.api_streams + 1000,
        )
        self._server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        host, port = self.settings.host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer with a body waits
        # for the other side's delayed acknowledgement: 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            raise Unavailable(
                f"The page cannot listen on {host}:{port}: {error.strerror}.",
                hint="Choose another --port (0: any), or start with --no-page.",
            ) from error
        self._socket = listening
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="page", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_WITHIN
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("The page did not start; the log says why.")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10.0)
        if self._socket is not None:
            self._socket.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        port = self._socket.getsockname()[1] if self._socket else self.settings.port
        return self.settings.model_copy(update={"port": port}).page

    def welcome(self, actor: str) -> str:
        """Where the page is and how one gets in."""
        if self.settings.login != "link":
            return f"The page is at {self.url}"
        key = LoginLinks.new(self.app_context.key, actor)
        return f"The page is at {self.url}\nLog in once, within 15 minutes: {self.url}go?key={key}"


def login_link(settings: Settings, actor: str) -> str:
    """A link that logs ``actor`` in once at the server of the same home folder."""
    return f"{settings.page}go?key={LoginLinks.new(page_key(settings), actor)}"
