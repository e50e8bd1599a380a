"""Servers of the standard library's kind, in a thread: they end when they are told, not half a second later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseServer

_LOOK = 0.01
"""Seconds between two looks whether to end; the library's own default makes each end cost half a second."""


def serve(server: BaseServer) -> Callable[[], None]:
    """Serve until what this gives is called."""
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK,), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Serve for as long as the block lasts."""
    stop = serve(server)
    try:
        yield
    finally:
        stop()
