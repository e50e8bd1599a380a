"""Server-sent events: decisions as they are written, and the progress of runs.

A stream holds no thread and no database connection while nothing happens, and there is a bound on how many are open.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from controller.domain.errors import Unavailable
from controller.domain.runs import RunState
from controller.entrypoints.api.desk import At, Caller, Desk
from controller.entrypoints.api.problems import READ_ERRORS
from controller.ports import Query as Wanted
from controller.service.explain import summary

router = APIRouter(prefix="/v1", responses=READ_ERRORS)

_LOOK_AGAIN = 1.0
_LONGEST = 600.0
"""Seconds after which a stream ends; a browser comes back by itself, with the last id it has."""
_RUNNING = (RunState.QUEUED.value, RunState.RUNNING.value)


class Streams:
    """Counts open streams; Unavailable when there are enough."""

    def __init__(self, most: int) -> None:
        self._most, self._open, self._lock = most, 0, Lock()

    def enter(self) -> None:
        """Take a place."""
        with self._lock:
            if self._open >= self._most:
                raise Unavailable(
                    f"{self._open} event streams are open, which is the most.",
                    hint="Close one, or raise INCUMBENT_API_STREAMS.",
                )
            self._open += 1

    def leave(self) -> None:
        """Give it back."""
        with self._lock:
            self._open -= 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """Give the place back when the block ends, however it does."""
        try:
            yield
        finally:
            self.leave()


@router.get(
    "/stream",
    summary="Decisions and progress as they happen",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Events.",
        }
    },
)
def stream(
    request: Request,
    desk: At,
    person: Caller,
    model: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="Decisions above this number.")
    ] = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$")] = None,
    once: Annotated[bool, Query(description="What is there now, then end.")] = False,
) -> StreamingResponse:
    """`decision` events carry a row of the list, `run` events a run's progress."""
    streams: Streams = request.app.state.streams
    streams.enter()
    start = int(last) if last else after
    body = _events(desk, model, start, streams, once=once)
    return StreamingResponse(
        body, media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _events(
    desk: Desk, model: str | None, after: int | None, streams: Streams, *, once: bool
) -> AsyncIterator[bytes]:
    with streams.place():
        seen: dict[str, Any] = {}
        until = anyio.current_time() + _LONGEST
        yield b"retry: 2000\n\n"
        while True:
            after, news = await run_in_threadpool(_look, desk, model, after, seen)
            yield b"".join(news) or b": still here\n\n"
            if once or anyio.current_time() >= until:
                return
            await anyio.sleep(_LOOK_AGAIN)


def _look(
    desk: Desk, model: str | None, after: int | None, seen: dict[str, Any]
) -> tuple[int, list[bytes]]:
    """What is new since the last look; the first one without ``after`` only marks where we are."""
    with desk.store.read() as tx:
        head, _ = tx.decisions.head()
        if after is None:
            after = head
        found = tx.decisions.find(Wanted(model=model, limit=100)) if head > after else []
        runs = tx.runs.find(Wanted(model=model, states=_RUNNING, limit=100))
    news = [
        _event("decision", summary(record), record.id)
        for record in reversed(found)
        if record.id > after
    ]
    for run in runs:
        said = (run.state.value, run.progress, run.attempt)
        if seen.get(run.id) != said:
            seen[run.id] = said
            row = {"run": run.id, "model": run.model, "state": said[0], "progress": said[1]}
            news.append(_event("run", row))
    return max(head, after), news


def _event(name: str, body: Any, number: int | None = None) -> bytes:
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {name}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
