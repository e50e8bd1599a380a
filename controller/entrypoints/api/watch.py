"""One look at the database for all event streams: what is new is read once a second and handed to everybody.

A stream that waits costs a small buffer and no thread. A reader that is slower than the news loses its stream, not the
server its memory: its buffer is bounded, and a browser comes back by itself with the last id that it has.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from controller.domain.errors import Forbidden, NotLoggedIn, Unavailable
from controller.domain.runs import RunState
from controller.entrypoints.api.caller import reader
from controller.entrypoints.api.context import AppContext
from controller.ports import Query as Wanted
from controller.service.explain.decision import decision_summary

_LOOK_AGAIN = 1.0
_MOST_WAITING = 500
"""Events that one stream may be behind."""
_RUNNING = (RunState.QUEUED.value, RunState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class News:
    """One event, ready to be sent. ``decision`` is its number, 0 for the progress of a run."""

    model: str
    text: bytes
    decision: int = 0


@dataclass(eq=False)
class Listener:
    """One open stream: what it has not sent yet. ``behind``: it was too slow, and its stream ends."""

    model: str | None
    waiting: deque[News] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    behind: bool = False

    def tell(self, news: News) -> None:
        """Keep the event for this stream, if it asked for the model."""
        if self.model is not None and news.model != self.model:
            return
        if len(self.waiting) >= _MOST_WAITING:
            self.behind = True
        else:
            self.waiting.append(news)
        self.ready.set()

    def take(self) -> list[News]:
        """Everything that waits."""
        found = list(self.waiting)
        self.waiting.clear()
        self.ready.clear()
        return found


class EventWatch:
    """Everybody who listens, and the one task that looks for them while there is anybody."""

    def __init__(self, app_context: AppContext, most: int) -> None:
        self._desk, self._most = app_context, most
        self._open, self._lock = 0, Lock()
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._marked = asyncio.Event()
        self._readers: dict[tuple[str | None, str | None], tuple[float, asyncio.Future[bool]]] = {}

    def enter(self) -> None:
        """Take a place; Unavailable when there are enough."""
        with self._lock:
            if self._open >= self._most:
                raise Unavailable(
                    f"{self._open} event streams are open, which is the most.",
                    hint="Close one, or raise INCUMBENT_API_STREAMS.",
                )
            self._open += 1

    async def may_read(self, request: Request) -> bool:
        """Whether who opened a stream may still read: not logged out, no token revoked. One look a second for all the
        streams of one credential.
        """
        shown = (request.headers.get("authorization"), request.headers.get("cookie"))
        at, asked = self._readers.get(shown, (-_LOOK_AGAIN, None))
        if asked is None or time.monotonic() - at >= _LOOK_AGAIN:
            asked = asyncio.ensure_future(run_in_threadpool(_may_read, request))
            if len(self._readers) > self._most:
                self._readers.clear()
            self._readers[shown] = (time.monotonic(), asked)
        return await asyncio.shield(asked)

    @property
    def open(self) -> int:
        """Streams that have a place now."""
        return self._open

    @contextmanager
    def place(self) -> Iterator[None]:
        """Give the place back when the block ends, however it does."""
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    @asynccontextmanager
    async def listening(self, model: str | None) -> AsyncIterator[Listener]:
        """A listener that hears of everything that is written after this was entered."""
        listener = Listener(model)
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._marked = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._look_on())
        try:
            await self._marked.wait()
            yield listener
        finally:
            self._listeners.discard(listener)

    async def _look_on(self) -> None:
        """Look until nobody listens. A look that fails is tried again: the database may be away for a while."""
        seen: dict[str, Any] = {}
        after: int | None = None
        while self._listeners:
            try:
                after, news = await run_in_threadpool(
                    look_for_events, self._desk, None, after, seen
                )
            except Exception:  # noqa: BLE001 - streams outlive a database that is away
                news = []
            self._marked.set()
            for one in news:
                for listener in tuple(self._listeners):
                    listener.tell(one)
            await asyncio.sleep(_LOOK_AGAIN)


def _may_read(request: Request) -> bool:
    try:
        reader(request)
    except (NotLoggedIn, Forbidden):
        return False
    return True


def look_for_events(
    app_context: AppContext, model: str | None, after: int | None, seen: dict[str, Any]
) -> tuple[int, list[News]]:
    """What is new since the last look; the first one without ``after`` only marks where we are."""
    with app_context.store.read() as tx:
        head, _ = tx.decisions.head()
        if after is None:
            after = head
        found = tx.decisions.find(Wanted(model=model, limit=100)) if head > after else []
        while found and found[-1].id > after + 1 and len(found) < _MOST_WAITING:
            older = tx.decisions.find(Wanted(model=model, before=found[-1].id, limit=100))
            if not older:
                break
            found += older
        runs = tx.runs.find(Wanted(model=model, states=_RUNNING, limit=500))
    news = [
        News(record.model, _event("decision", decision_summary(record), record.id), record.id)
        for record in reversed(found)
        if record.id > after
    ]
    for gone in seen.keys() - {run.id for run in runs}:
        del seen[gone]
    for run in runs:
        said = (run.state.value, run.progress, run.attempt)
        if seen.get(run.id) != said:
            seen[run.id] = said
            row = {"run": run.id, "model": run.model, "state": said[0], "progress": said[1]}
            news.append(News(run.model, _event("run", row)))
    return max(head, after), news


def _event(name: str, body: Any, number: int | None = None) -> bytes:
    identity = f"id: {number}\n" if number is not None else ""
    return f"{identity}event: {name}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
