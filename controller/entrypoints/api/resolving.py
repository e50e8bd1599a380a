"""What a name stands for, answered the short way.

Serving asks this before all else and asks it again and again. FastAPI's routing, its parsing of parameters and its hop
to another thread cost three times as much as the question itself, so that a plain request is answered before they
begin; whatever is not plain (a parameter that is unknown, doubled or out of bounds) goes the long way, by the
documented routes, and gets their words. Both ways end in :func:`resolved`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.domain.errors import IncumbentError
from controller.entrypoints.api.caller import reader
from controller.entrypoints.api.context import context_of, desk_for
from controller.entrypoints.api.problems import refused_response
from controller.entrypoints.api.read import json_response
from controller.service.registry.use import (
    LEASE,
    LONGEST,
    SHORTEST,
    Resolution,
    ResolveRequest,
    look_up,
    resolve_name,
)

SHORTEST_SECONDS = int(SHORTEST.total_seconds())
LONGEST_SECONDS = int(LONGEST.total_seconds())
_LONGEST_NAME = 200
_NEVER_CACHED = {"cache-control": "no-cache"}
_PATH = re.compile(
    r"/v1/models/([^/]{1,200})/(?:(champion)|aliases/([^/]{1,200})|versions/([1-9][0-9]{0,8}))"
)


class ShortWay:
    """The middleware: answers plain questions, and hands on the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        ask = plain(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if ask is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            response = await resolved(request, ask)
        except IncumbentError as error:
            response = refused_response(request, error)
        await response(scope, receive, send)


def plain(scope: Scope) -> ResolveRequest | None:
    """The question of a request that is plain; None of any other."""
    found = _PATH.fullmatch(scope["path"])
    if found is None:
        return None
    model, champion, alias, number = found.groups()
    ask = ResolveRequest(model=model, selector=champion or alias or number)
    if not scope["query_string"]:
        return ask
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for name, value in given:
        if name == "consumer" and ask.consumer is None and len(value) <= _LONGEST_NAME:
            ask = replace(ask, consumer=value)
        elif name == "lease" and ask.lease is LEASE and _is_lease(value):
            ask = replace(ask, lease=timedelta(seconds=int(value)))
        elif name == "for" and ask.request is None and champion and len(value) <= 5 * _LONGEST_NAME:
            ask = replace(ask, request=value)
        else:
            return None
    return ask


def _is_lease(text: str) -> bool:
    good = text.isascii() and text.isdecimal() and len(text) < 9
    return good and SHORTEST_SECONDS <= int(text) <= LONGEST_SECONDS


def lasting(seconds: int | None) -> timedelta:
    """How long a lease is asked for."""
    return LEASE if seconds is None else timedelta(seconds=seconds)


async def resolved(request: Request, ask: ResolveRequest) -> Response:
    """What the name stands for, with an ETag, for whoever may read.

    A look at a file of this machine is taken here and now, for a hop to another thread would cost as much again;
    what writes, or asks a server, waits in another thread.
    """
    app_context = context_of(request)
    if app_context.is_local:
        person = reader(request)
        app_context, whole = desk_for(request, person), replace(ask, actor=person.actor)
        seen = look_up(app_context.store, whole, app_context.clock.now())
        if isinstance(seen, Resolution):
            return _told(request, seen)
    here = asyncio.get_running_loop()
    return await here.run_in_executor(context_of(request).thread_pool, _asked, request, ask)


def _asked(request: Request, ask: ResolveRequest) -> Response:
    person = reader(request)
    app_context, whole = desk_for(request, person), replace(ask, actor=person.actor)
    return _told(request, resolve_name(app_context.store, whole, app_context.clock.now()))


def _told(request: Request, answer: Resolution) -> Response:
    found = json_response(request, answer.document(), answer.etag)
    found.headers.update(answer.headers() | _NEVER_CACHED)
    return found
