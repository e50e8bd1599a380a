"""Server-sent events: decisions as they are written, and the progress of runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.api.problems import READ_ERRORS
from controller.entrypoints.api.watch import EventWatch, Listener, look_for_events
from controller.service.commands.isolation import IsolatedStore

router = APIRouter(prefix="/v1", responses=READ_ERRORS)

_LONGEST = 600.0
"""Seconds after which a stream ends; a browser comes back by itself, with the last id it has."""
_STILL_HERE = 15.0
SLOWEST = 20.0
"""Seconds that a reader may take to accept a part; then its connection is closed."""


class EventResponse(StreamingResponse):
    """A stream whose reader has to keep up: a part that is not taken in time ends the connection."""

    async def stream_response(self, send: Send) -> None:
        """Send part by part, each within :data:`SLOWEST` seconds."""
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        async for part in self.body_iterator:
            with anyio.move_on_after(SLOWEST) as limit:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            if limit.cancelled_caught:
                return  # the server closes a connection whose answer was not completed
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get(
    "/stream",
    summary="Decisions and progress as they happen",
    response_class=EventResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Events.",
        }
    },
)
def stream(
    request: Request,
    app_context: Context,
    person: Caller,
    model: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**63 - 1, description="Decisions above this number.")
    ] = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$")] = None,
    once: Annotated[bool, Query(description="What is there now, then end.")] = False,
) -> StreamingResponse:
    """`decision` events carry a row of the list, `run` events a run's progress. A reader that is too slow loses its
    stream and goes on from the last id it has.
    """
    watch: EventWatch = request.app.state.watch
    watch.enter()
    start = int(last) if last else after
    body = _events(request, app_context, model, start, watch, once=once)
    return EventResponse(
        body, media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _events(
    request: Request,
    app_context: AppContext,
    model: str | None,
    after: int | None,
    watch: EventWatch,
    *,
    once: bool,
) -> AsyncIterator[bytes]:
    with watch.place():
        yield b"retry: 2000\n\n"
        async with watch.listening(model) as listener:
            async for part in _told(app_context, model, after, listener, once=once):
                if not await watch.may_read(request):
                    return  # logged out, or the token was revoked, since the stream began
                yield part


async def _told(
    app_context: AppContext, model: str | None, after: int | None, listener: Listener, *, once: bool
) -> AsyncIterator[bytes]:
    until = anyio.current_time() + _LONGEST
    seen: dict[str, Any] = {}
    told, news = await run_in_threadpool(look_for_events, app_context, model, after, seen)
    yield b"".join(one.text for one in news) or b": still here\n\n"
    while not once and not listener.behind and anyio.current_time() < until:
        try:
            await asyncio.wait_for(listener.ready.wait(), _STILL_HERE)
        except TimeoutError:
            yield b": still here\n\n"
            continue
        # What the first look told already is not told again.
        fresh = [one for one in listener.take() if not 0 < one.decision <= told]
        if isinstance(app_context.store, IsolatedStore):
            fresh = await run_in_threadpool(app_context.store.seen, fresh)
        if fresh:
            yield b"".join(one.text for one in fresh)
