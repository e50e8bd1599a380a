"""Tells the trace of a run: when it was claimed, by whom, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.domain.errors import IncumbentError
from controller.domain.runs import Run, RunState
from controller.domain.tracing import Span, SpanContext, SpanKind, place_of
from controller.ports import RunEnd, Tracer
from workers.settings import WorkerSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTrace:
    """Where the span of a run goes, and which span rang for it."""

    tracer: Tracer
    parent: SpanContext
    worker: str

    def tell(self, run: Run, started: datetime, end: RunEnd | None) -> None:
        """The run has ended, or was lost (None)."""
        good = end is not None and end.state is RunState.DONE
        reason = "the run was lost" if end is None else end.reason
        self.tracer.record(
            Span(
                name=f"run {run.spec.kind.value}",
                place=place_of(self.parent.trace, "run", f"{run.id}:{run.fence}"),
                parent=self.parent,
                start=started,
                end=datetime.now(UTC),
                kind=SpanKind.CONSUMER,
                attributes={
                    "messaging.system": "celery",
                    "incumbent.run": run.id,
                    "incumbent.model": run.model,
                    "incumbent.attempt": run.attempt,
                    "incumbent.fence": run.fence,
                    "incumbent.worker": self.worker,
                    "incumbent.state": "lost" if end is None else end.state.value,
                },
                error="" if good else reason or "it failed",
            )
        )


@contextmanager
def tracing_run(settings: WorkerSettings, parent: SpanContext | None) -> Iterator[RunTrace | None]:
    """What tells of the run within the block; None where nobody hears it. All is sent when the block ends.

    The process of a run ends without a word when it is done, so nothing may wait for later.
    """
    if settings.traces_url is None or parent is None:
        yield None
        return
    from workers.bootstrap import open_traces

    try:
        tracer = open_traces(settings.traces_url)
    except IncumbentError as error:
        log.warning("no traces: %s", error.sentence(), extra={"action": "trace"})
        yield None
        return
    try:
        yield RunTrace(tracer=tracer, parent=parent, worker=settings.name)
    finally:
        tracer.flush()
