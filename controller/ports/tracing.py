"""Where spans go."""

from __future__ import annotations

from typing import Protocol

from controller.domain.tracing import Span


class Tracer(Protocol):
    """Tells spans to a collector. It never raises: a trace that is lost harms nobody."""

    def record(self, span: Span) -> None: ...

    def flush(self) -> None:
        """Send what waits; before a process ends, or forks."""
        ...
