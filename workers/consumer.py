"""Celery's consumer with our manners: a message that is not for us is one line in the log, and gone.

Celery would print a page for each and keep some of them. The relay rings again for every run that waits, so nothing
is lost with a message that nobody understands.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)


class TerseConsumer(Consumer):
    """Drops what is garbage, of an unknown task, or of another shape than ours."""

    def on_unknown_message(self, body: Any, message: Any) -> None:
        _drop(message, f"its body is a {type(body).__name__} that is no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Any) -> None:  # noqa: ARG002
        _drop(message, f"no task is called {str(exc)[:80]}")

    def on_invalid_task(self, body: Any, message: Any, exc: Any) -> None:  # noqa: ARG002
        _drop(message, f"it cannot be read: {str(exc)[:200]}")

    def on_decode_error(self, message: Any, exc: Any) -> None:
        _drop(message, f"it cannot be decoded: {str(exc)[:200]}")


def _drop(message: Any, why: str) -> None:
    log.warning("message dropped: %s", why.splitlines()[0], extra={"action": "drop", "why": why})
    message.ack_log_error(log, (Exception,))
