"""The Celery application of a worker: one task, which claims a run in the database and does it."""

from __future__ import annotations

import logging
import re
from typing import Any

from celery import Celery

from controller.adapters.celery.settings import (
    OLDEST,
    PROTOCOL,
    PROTOCOL_HEADER,
    TASK,
    celery_settings,
)
from controller.domain.errors import IncumbentError
from controller.domain.tracing import SpanContext, read_header
from workers.bootstrap import open_artifacts, open_store
from workers.draining import Drain
from workers.execute import execute
from workers.launching import Nursery
from workers.settings import WorkerSettings
from workers.steps import Workplace
from workers.tracing import tracing_run

log = logging.getLogger(__name__)

_RUN = re.compile(r"[\w.:/-]{1,200}")


def make_app(settings: WorkerSettings, nursery: Nursery, drain: Drain) -> Celery:
    """The application with its one task."""
    app = Celery("incumbent-worker", set_as_current=False)
    app.conf.update(celery_settings(settings.broker_url, settings.queues))
    app.conf.worker_consumer = "workers.consumer:TerseConsumer"

    @app.task(name=TASK, bind=True, typing=False)
    def ring(task: Any, *arguments: Any, **_: Any) -> None:
        refusal = _refusal(task.request.get(PROTOCOL_HEADER), arguments)
        if refusal:
            log.warning("message dropped: %s", refusal, extra={"action": "drop", "why": refusal})
        else:
            parent = read_header(task.request.get("traceparent"))
            hear(settings, nursery, drain, *arguments, parent=parent)

    return app


def hear(
    settings: WorkerSettings,
    nursery: Nursery,
    drain: Drain,
    run: str,
    fence: int,
    *,
    parent: SpanContext | None = None,
) -> None:
    """One doorbell. Whatever goes wrong is one line; it never ends this process in an error.

    ``parent`` is the span of who rang, where traces are told.
    """
    if drain.due:
        return  # the run waits for another worker
    store = open_store(settings)
    try:
        place = Workplace(
            settings=settings,
            store=store,
            artifacts=open_artifacts(settings.artifacts),
            nursery=nursery,
            drain=drain,
        )
        with tracing_run(settings, parent) as trace:
            execute(place, run, fence, trace)
    except IncumbentError as error:
        log.warning(
            "run %s left alone: %s", run, error.sentence(), extra={"action": "run", "run": run}
        )
    finally:
        store.close()


def _refusal(protocol: Any, arguments: tuple[Any, ...]) -> str | None:
    if (
        not isinstance(protocol, int)
        or isinstance(protocol, bool)
        or not OLDEST <= protocol <= PROTOCOL
    ):
        return (
            f"it speaks version {str(protocol)[:20]!r} of the protocol and this worker {PROTOCOL}"
        )
    if len(arguments) != 2:
        return f"it has {len(arguments)} arguments instead of a run and a fence"
    run, fence = arguments
    if not isinstance(run, str) or not _RUN.fullmatch(run):
        return f"{str(run)[:80]!r} is no run"
    if isinstance(fence, bool) or not isinstance(fence, int) or fence < 0:
        return f"{str(fence)[:80]!r} is no fence"
    return None
