"""The API for whoever uses models: resolve a name, download, be told what leaves; and words about versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from controller.bootstrap import artifact_store_of
from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.domain.versions import VersionState
from controller.entrypoints.api import shapes
from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.api.problems import READ_ERRORS, WRITE_ERRORS
from controller.entrypoints.api.read import Limit, ModelQuery, SinceQuery, Until, json_response, utc
from controller.entrypoints.api.resolving import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    lasting,
    resolved,
)
from controller.entrypoints.api.write import ANSWERED, IdempotencyKey, accepted_body
from controller.service.commands.access import Person
from controller.service.commands.submit import Command, owner_of
from controller.service.explain.notes import set_description, set_tags
from controller.service.explain.search import SearchFilters, parse_tag, search
from controller.service.registry.use import (
    ResolveRequest,
    consumer_rows,
    needs_of,
    release_consumer,
    resolve_name,
)

router = APIRouter(prefix="/v1")

ModelPath = Annotated[str, Path(max_length=200, examples=["flight-delay"])]
ConsumerQuery = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Who asks. It takes a lease on the version, which each resolve renews.",
        examples=["checkout-service"],
    ),
]
LeaseQuery = Annotated[
    int | None,
    Query(
        ge=SHORTEST_SECONDS,
        le=LONGEST_SECONDS,
        description="Seconds that the lease lasts; default: one day.",
    ),
]
RequestKey = Annotated[
    str | None,
    Query(
        alias="for",
        max_length=1000,
        description="A key of the request that is to be answered (a customer, a session). During a rollout the answer "
        "is the version that such requests belong to.",
        examples=["customer 4711"],
    ),
]
_RESOLVED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": shapes.ResolvedOut,
        "description": "`Deprecation` (RFC 9745) and `Sunset` (RFC 8594) say when it leaves.",
    },
    304: {"description": "The caller has it already."},
}


@router.get(
    "/models/{model}/champion",
    responses={**READ_ERRORS, **_RESOLVED},
    summary="The champion",
)
async def champion(
    request: Request,
    model: ModelPath,
    consumer: ConsumerQuery = None,
    lease: LeaseQuery = None,
    request_key: RequestKey = None,
) -> Response:
    """Its ETag changes with each change of champion: a request with If-None-Match costs one SELECT and no body.

    During a rollout `rollout` names the challenger and its share of the requests.
    """
    kept = lasting(lease)
    ask = ResolveRequest(model=model, consumer=consumer, request=request_key, lease=kept)
    return await resolved(request, ask)


@router.get(
    "/models/{model}/aliases/{alias}",
    responses={**READ_ERRORS, **_RESOLVED},
    summary="The version behind an alias",
)
async def behind_alias(
    request: Request,
    model: ModelPath,
    alias: ModelPath,
    consumer: ConsumerQuery = None,
    lease: LeaseQuery = None,
) -> Response:
    """As the champion, under another name."""
    ask = ResolveRequest(model=model, selector=alias, consumer=consumer, lease=lasting(lease))
    return await resolved(request, ask)


@router.get(
    "/models/{model}/versions/{number}",
    responses={**READ_ERRORS, **_RESOLVED},
    summary="One version",
)
async def one_version(
    request: Request,
    model: ModelPath,
    number: Annotated[int, Path(ge=1, le=2**31 - 1)],
    consumer: ConsumerQuery = None,
    lease: LeaseQuery = None,
) -> Response:
    """With `consumer` it is a pin: a lease on this version, whoever is champion."""
    ask = ResolveRequest(model=model, selector=str(number), consumer=consumer, lease=lasting(lease))
    return await resolved(request, ask)


@router.get(
    "/models/{model}/versions/{number}/artifact",
    responses={
        **READ_ERRORS,
        200: {"content": {"application/octet-stream": {}}, "description": "The bytes."},
        206: {"description": "The bytes from `Range: bytes=N-` on."},
        304: {"description": "The caller has it already."},
        416: {"description": "There are no bytes so far on."},
    },
    summary="Download a version's artifact",
)
def artifact(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelPath,
    number: Annotated[int, Path(ge=1, le=2**31 - 1)],
    consumer: ConsumerQuery = None,
) -> Response:
    """Its ETag is its SHA-256. A download that was cut off goes on with `Range`; it is recorded for a consumer."""
    ask = ResolveRequest(
        model=model,
        selector=str(number),
        consumer=consumer,
        actor=person.actor,
        download=True,
    )
    version = resolve_name(app_context.store, ask, app_context.clock.now()).resolved.version
    etag = f'"{version.digest}"'
    headers = {"etag": etag, "accept-ranges": "bytes", "cache-control": "private, immutable"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    store = app_context.artifacts or artifact_store_of(app_context.settings)
    size = store.size(version.digest)
    start = _start(request, etag)
    if start and start >= size:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
    headers["content-length"] = str(size - start)
    if start:
        headers["content-range"] = f"bytes {start}-{size - 1}/{size}"
    return StreamingResponse(
        store.stream(version.digest, start),
        status_code=206 if start else 200,
        headers=headers,
        media_type="application/octet-stream",
    )


def _start(request: Request, etag: str) -> int:
    """Where to go on: `bytes=N-` alone is understood, and anything else gets the whole."""
    if request.headers.get("if-range", etag) != etag:
        return 0
    unit, _, rest = request.headers.get("range", "").partition("=")
    first, _, last = rest.partition("-")
    plain = unit.strip() == "bytes" and first.isascii() and first.isdecimal() and not last
    return int(first) if plain and len(first) < 19 else 0


@router.get("/models/{model}/aliases", responses=READ_ERRORS, summary="The aliases of a model")
def list_aliases(
    request: Request, app_context: Context, person: Caller, model: ModelPath
) -> Response:
    """Each with the version that it points at and its generation. The champion stands with the model."""
    with app_context.store.read() as tx:
        rows = [to_plain(alias) for alias in tx.aliases.of(model)]
    return json_response(request, rows)


@router.get("/models/{model}/consumers", responses=READ_ERRORS, summary="Who uses which version")
def list_consumers(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelPath,
    ended: Annotated[bool, Query(description="Those whose lease ran out, too.")] = False,
) -> Response:
    """Leases, and for each version who keeps it from being archived."""
    now = app_context.clock.now()
    with app_context.store.read() as tx:
        leases = tx.consumers.of(model, live_at=None if ended else now)
        numbers = {lease.version for lease in leases}
        states = {v.number: v.state for v in tx.registry.versions(model, numbers=numbers)}
        needed = {str(n): needs.phrases() for n, needs in needs_of(tx, model, now).items()}
    return json_response(
        request, {"consumers": consumer_rows(leases, states, now), "needed": needed}
    )


@router.delete(
    "/models/{model}/consumers/{consumer}",
    status_code=204,
    responses=WRITE_ERRORS,
    summary="A consumer is gone",
)
def consumer_gone(
    app_context: Context, person: Caller, model: ModelPath, consumer: ModelPath
) -> Response:
    """End its leases now, so that what it used may leave."""
    with app_context.store.read() as tx:
        person.must("signal", owner_of(tx, model, app_context.parse))
    release_consumer(app_context.store, model, consumer, app_context.clock.now())
    return Response(status_code=204)


@router.get("/search", responses=READ_ERRORS, summary="Versions of all models")
def search_versions(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelQuery = None,
    state: Annotated[list[VersionState] | None, Query()] = None,
    metric: Annotated[list[str] | None, Query(examples=["mae<15"])] = None,
    tag: Annotated[list[str] | None, Query(examples=["team=fraud"])] = None,
    alias: Annotated[str | None, Query(max_length=255)] = None,
    data: Annotated[
        int | None,
        Query(ge=0, le=2**63 - 1, description="Trained on the data up to this batch."),
    ] = None,
    since: SinceQuery = None,
    until: Until = None,
    limit: Limit = 100,
) -> Response:
    """By state, metric, tag, alias, data and date of creation; all that is said must hold."""
    wanted = SearchFilters(
        models=(model,) if model else (),
        states=tuple(state or ()),
        metrics=tuple(metric or ()),
        tags=dict(map(parse_tag, tag or ())),
        alias=alias,
        data=data,
        since=utc(since),
        until=utc(until),
        limit=limit,
    )
    with app_context.store.read() as tx:
        rows = search(tx, wanted)
    return json_response(request, rows)


def _word(app_context: AppContext, person: Person, word: Command) -> JSONResponse:
    signal, fresh = app_context.submit(person, word)
    return JSONResponse(accepted_body(signal, fresh=fresh), 202 if signal.decision is None else 200)


@router.put(
    "/models/{model}/aliases/{alias}",
    responses={**WRITE_ERRORS, **ANSWERED},
    response_model=shapes.AcceptedOut,
    summary="Move an alias",
)
def move_alias(
    app_context: Context,
    person: Caller,
    model: ModelPath,
    alias: ModelPath,
    body: shapes.AliasIn,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Point it at `version`; null takes it away. The champion is none: it moves by promotion and rollback."""
    payload: dict[str, Any] = {"alias": alias, "version": body.version}
    if body.expect_version is not None:
        payload["expect_version"] = body.expect_version
    word = Command(action="alias", model=model, reason=body.reason, payload=payload, key=key)
    return _word(app_context, person, word)


@router.post(
    "/models/{model}/words",
    responses={**WRITE_ERRORS, **ANSWERED},
    response_model=shapes.AcceptedOut,
    summary="A person's word with more to it",
)
def say(
    app_context: Context,
    person: Caller,
    model: ModelPath,
    body: shapes.PayloadIn,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """What the command line says from afar; the routes of aliases and versions say the same."""
    word = Command(
        action=body.action, model=model, reason=body.reason, payload=body.payload, key=key
    )
    return _word(app_context, person, word)


def _about_version(right: str, summary: str, description: str) -> None:
    @router.post(
        f"/models/{{model}}/versions/{{number}}/{right}",
        name=f"{right}_version",
        operation_id=f"{right}_version",
        responses={**WRITE_ERRORS, **ANSWERED},
        response_model=shapes.AcceptedOut,
        summary=summary,
        description=description,
    )
    def spoken(
        app_context: Context,
        person: Caller,
        model: ModelPath,
        number: Annotated[int, Path(ge=1, le=2**31 - 1)],
        body: shapes.CurateIn,
        key: IdempotencyKey = None,
    ) -> JSONResponse:
        payload: dict[str, Any] = {"version": number}
        if body.sunset is not None:
            payload["sunset"] = _zoned(body.sunset)
        if body.firm:
            payload["firm"] = True
        word = Command(action=right, model=model, reason=body.reason, payload=payload, key=key)
        return _word(app_context, person, word)


_about_version("deprecate", "Deprecate a version", "Sets a date and tells its consumers.")
_about_version("archive", "Archive a version", "If no alias, consumer, hold or rollback needs it.")
_about_version("restore", "Bring a version back", "As long as its artifact is there.")
_about_version("hold", "Keep a version", "It is not archived until it is released.")
_about_version("release", "Let go of a version", "It may be archived again.")


def _zoned(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise UserError("sunset needs a time zone, such as Z.")
    return str(to_plain(moment))


@router.patch(
    "/models/{model}/notes",
    responses=WRITE_ERRORS,
    response_model=shapes.NotesOut,
    summary="Tags and description of a model",
)
def note_model(
    app_context: Context, person: Caller, model: ModelPath, body: shapes.NotesIn
) -> dict[str, Any]:
    """A tag with the value null is taken away; an empty description too."""
    return _note(app_context, person, (model, 0), body)


def _note(
    app_context: AppContext, person: Person, subject: tuple[str, int], body: shapes.NotesIn
) -> dict[str, Any]:
    model, number = subject
    now = app_context.clock.now()
    with app_context.store.read() as tx:
        person.must("comment", owner_of(tx, model, app_context.parse))
    given = [f"{name}={value}" for name, value in body.tags.items() if value is not None]
    gone = [name for name, value in body.tags.items() if value is None]
    set_tags(app_context.store, subject, given, gone, person.actor, now)
    if body.description is not None:
        set_description(app_context.store, subject, body.description, person.actor, now)
    with app_context.store.read() as tx:
        return {
            "tags": dict(tx.notes.tags(model, (number,)).get(number, {})),
            "description": tx.notes.descriptions(model, (number,)).get(number, ""),
        }


@router.patch(
    "/models/{model}/versions/{number}/notes",
    responses=WRITE_ERRORS,
    response_model=shapes.NotesOut,
    summary="Tags and description of a version",
)
def note_version(
    app_context: Context,
    person: Caller,
    model: ModelPath,
    number: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: shapes.NotesIn,
) -> dict[str, Any]:
    """A tag with the value null is taken away; an empty description too."""
    return _note(app_context, person, (model, number), body)
