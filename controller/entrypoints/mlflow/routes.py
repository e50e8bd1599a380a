"""Mounts MLflow's paths: one route for the methods, one for the files of governed versions."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from controller.domain.catalog import CatalogVersion
from controller.domain.errors import (
    Conflict,
    IncumbentError,
    NotFound,
    NotLoggedIn,
    Unavailable,
    UserError,
)
from controller.domain.payloads.bounds import Bounds, check_bounds
from controller.domain.signals import SignalStatus
from controller.entrypoints.api.caller import caller
from controller.entrypoints.api.context import AppContext, context_of, desk_for, proven
from controller.entrypoints.mlflow.files import answer_file, answer_listing
from controller.entrypoints.mlflow.methods import METHODS, READING, Call, alias_word
from controller.entrypoints.mlflow.shapes import error_body
from controller.ports import Transaction
from controller.service.commands.access import Person, digest_of
from controller.service.commands.submit import Command, owner_of
from controller.service.registry.mlflow.surface import Surface

log = logging.getLogger(__name__)

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
_BOUNDS = Bounds(size=1 << 20, values=20_000)
"""Of what a client says; what no database and no answer can hold is refused by its name."""
_VERBS = ["GET", "POST", "PATCH", "DELETE", "PUT"]


def mount_mlflow(app: FastAPI) -> None:
    """Answer below MLflow's paths."""
    app.add_route(API + "/{path:path}", _method, methods=_VERBS, include_in_schema=False)
    app.add_route(FILES, _listing, methods=["GET"], include_in_schema=False)
    app.add_route(FILES + "/{path:path}", _file, methods=["GET", "HEAD"], include_in_schema=False)


async def _method(request: Request) -> Response:
    raw = await request.body()
    return await run_in_threadpool(_answered, request, raw)


async def _listing(request: Request) -> Response:
    return await run_in_threadpool(_told, request, answer_listing)


async def _file(request: Request) -> Response:
    return await run_in_threadpool(_told, request, answer_file)


def _told(request: Request, answer: Any) -> Response:
    try:
        found: Response = answer(request, desk_for(request, _reader(request)))
    except IncumbentError as error:
        return _refusal(error)
    return found


def _answered(request: Request, raw: bytes) -> Response:
    try:
        key = (request.method, request.path_params["path"])
        if key not in METHODS:
            raise NotFound(
                f"There is no {key[0]} {API}/{key[1]} here.",
                hint="This is a registry of models; runs and experiments are on your tracking server.",
            )
        body = _do(request, key, raw)
    except IncumbentError as error:
        return _refusal(error)
    return _json(200, body)


_NOTES = frozenset({"set-tag", "delete-tag", "update"})
"""Last parts of the methods that write what people say about models."""


def _do(request: Request, key: tuple[str, str], raw: bytes) -> dict[str, Any]:
    person = _person(request)
    app_context = desk_for(request, person)
    arguments = _arguments(request, raw)
    reading = key in READING
    if reading:
        _may_read(person)
    else:
        _must(app_context, person, key, arguments)
    now, free = app_context.clock.now(), app_context.settings.mlflow == "free"

    def call(tx: Transaction) -> Call:
        return Call(
            surface=Surface(tx, now, free=free),
            arguments=arguments,
            actor=person.actor,
            files=lambda version: _place(request, app_context, version),
        )

    if key[1] == "registered-models/alias" and not reading:
        with app_context.store.read() as tx:
            word = alias_word(call(tx), away=key[0] == "DELETE")
        if word is not None:
            return _spoken(app_context, person, word)
    with app_context.store.read() if reading else app_context.store.begin() as tx:
        return METHODS[key](call(tx))


def _must(
    app_context: AppContext, person: Person, key: tuple[str, str], arguments: dict[str, Any]
) -> None:
    """Whether the person may write: about a governed model as its owner's policy has it, else as an operator."""
    name, owner = arguments.get("name"), None
    notes = False
    if isinstance(name, str):
        with app_context.store.read() as tx:
            if tx.catalog.kind(name) == "governed":
                owner = owner_of(tx, name, app_context.parse)
                notes = key[1].rpartition("/")[2] in _NOTES
    person.must("comment" if notes else "catalog", owner)


def _spoken(app_context: AppContext, person: Person, word: Command) -> dict[str, Any]:
    """Ask for a decision, and wait for it for a moment."""
    signal, _ = app_context.submit(person, word)
    if signal.status is SignalStatus.HANDLED:
        return {}
    if signal.status.ended:
        raise Conflict(f"It was not decided so: {signal.reason}")
    raise Unavailable(
        f"Signal {signal.id} waits for a decision.", hint="No controller has answered it yet."
    )


def _arguments(request: Request, raw: bytes) -> dict[str, Any]:
    if request.method == "GET":
        query = request.query_params
        found: dict[str, Any] = {}
        for name in query:
            values = query.getlist(name)
            found[name] = values if len(values) > 1 else values[0]
        check_bounds(found, _BOUNDS, "query")
        return found
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A page of another site can send forms and plain text without being asked; it cannot send this.
        raise UserError("The body must be application/json.")
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        raise UserError("The body is no JSON.") from None
    if not isinstance(body, dict):
        raise UserError("The body is no JSON object.")
    check_bounds(body, _BOUNDS, "body")
    return body


def _person(request: Request) -> Person:
    """Who asks: by a bearer token, or by one as the password of basic authentication, as MLflow's clients send it."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return caller(request)
    try:
        _, _, password = base64.b64decode(secret.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise NotLoggedIn("The basic credentials cannot be read.") from None
    return proven(request, context_of(request).bearer(digest_of(password)))


def _reader(request: Request) -> Person:
    return _may_read(_person(request))


def _may_read(person: Person) -> Person:
    """As everywhere: reading takes a role, for all models or for those of one owner."""
    if not person.roles:
        person.must("read", None)
    return person


def _place(request: Request, app_context: AppContext, version: CatalogVersion) -> str:
    base = (app_context.settings.page_url or str(request.base_url)).rstrip("/")
    return f"{base}{FILES}/{quote(version.model, safe='')}/{version.number}"


def _refusal(error: IncumbentError) -> Response:
    status, body = error_body(error)
    if status >= 500:
        log.error("a request failed", extra={"action": "request_failed", "why": error.message})
    return _json(status, body)


def _json(status: int, body: dict[str, Any]) -> Response:
    text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    return Response(text, status_code=status, media_type="application/json")
