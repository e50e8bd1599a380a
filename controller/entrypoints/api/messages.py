"""Messages to people over the API: the delivery log, send again, channels, and silences."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from controller.bootstrap import notify_plan
from controller.domain.canonical import to_plain
from controller.entrypoints.api import shapes
from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import Context
from controller.entrypoints.api.problems import WRITE_ERRORS
from controller.entrypoints.api.read import Before, Limit, json_response
from controller.entrypoints.api.write import IdempotencyKey
from controller.ports import Delivery, DeliveryQuery, DeliveryState, Silence
from controller.service.commands.access import Person
from controller.service.messages.again import finish_silence as end_kept
from controller.service.messages.again import (
    keep_silence,
    known_channel,
    must_handle,
    must_silence,
    send_again,
    try_out,
)

router = APIRouter(prefix="/v1", responses=WRITE_ERRORS)

MessageNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]
Channel = Annotated[str | None, Query(max_length=200, description="Only of this channel.")]


class MessageOut(BaseModel):
    """One message to one address of a channel, and what became of it."""

    id: int
    channel: str
    address: str
    state: str = Field(examples=["sent"])
    created_at: datetime
    sent_at: datetime | None
    attempts: int
    count: int = Field(description="How many notices it holds.")
    notices: list[dict[str, Any]] = Field(description="The first of them.")
    last_error: str
    again_of: int | None


class SilenceIn(BaseModel):
    """What nobody wants to hear for a while. Nothing given: any."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=2000, examples=["moving the warehouse"])
    seconds: int = Field(ge=1, le=30 * 86_400, examples=[7200])
    model: str | None = Field(None, max_length=200, description="May hold *.")
    event: str | None = Field(None, max_length=200, examples=["held"])
    channel: str | None = Field(None, max_length=200)


class SilenceOut(BaseModel):
    """A silence."""

    id: int
    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    model: str | None
    event: str | None
    channel: str | None


class ChannelsOut(BaseModel):
    """Where messages go."""

    configured: bool = Field(
        examples=[True], description="False: no file is named, messages are only logged."
    )
    channels: dict[str, list[str]] = Field(examples=[{"leads": ["mail leads@example.com"]}])
    problems: list[str] = Field(examples=[[]])


class TriedOut(BaseModel):
    """The channel that a trial goes to."""

    channel: str = Field(examples=["leads"])


@router.get("/messages", response_model=shapes.Page[MessageOut], summary="What was told to whom")
def list_messages(
    request: Request,
    app_context: Context,
    person: Caller,
    channel: Channel = None,
    state: Annotated[list[DeliveryState] | None, Query()] = None,
    decision: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """The delivery log, newest first."""
    query = DeliveryQuery(
        channel=channel,
        states=tuple(s.value for s in state or ()),
        before=before,
        limit=limit,
        decision=decision,
    )
    with app_context.store.read() as tx:
        rows = [_row(row) for row in tx.deliveries.find(query)]
    return json_response(
        request, {"items": rows, "next": rows[-1]["id"] if len(rows) == limit else None}
    )


@router.post(
    "/messages/{number}/again", status_code=201, response_model=MessageOut, summary="Send it again"
)
def post_again(
    app_context: Context, person: Caller, number: MessageNumber, key: IdempotencyKey = None
) -> JSONResponse:
    """A copy to the same address, under an id of its own. Takes an operator of the models that it tells of."""
    with app_context.store.begin() as tx:
        held = tx.deliveries.get(number)
        if held is not None:
            must_handle(tx, person, held, app_context.parse)
        copy = send_again(tx, number, app_context.clock.now(), _keyed(person, key))
    return JSONResponse(to_plain(_row(copy)), 201)


@router.get("/silences", response_model=list[SilenceOut], summary="What is silenced now")
def list_silences(request: Request, app_context: Context, person: Caller) -> Response:
    """The silences in force, the one that ends first first."""
    with app_context.store.read() as tx:
        return json_response(
            request, [_silence(one) for one in tx.silences.active(app_context.clock.now())]
        )


@router.post("/silences", status_code=201, response_model=SilenceOut, summary="Silence something")
def add_silence(
    app_context: Context, person: Caller, body: SilenceIn, key: IdempotencyKey = None
) -> JSONResponse:
    """For a while, with a reason; the log keeps what was silenced. Takes an operator: of the model, or of all."""
    now = app_context.clock.now()
    wanted = Silence(
        reason=body.reason,
        created_by=person.actor,
        created_at=now,
        ends_at=now + timedelta(seconds=body.seconds),
        model=body.model,
        event=body.event,
        channel=body.channel,
        key=_keyed(person, key),
    )
    with app_context.store.begin() as tx:
        must_silence(tx, person, wanted, app_context.parse)
        kept = keep_silence(tx, wanted, now)
    return JSONResponse(_silence(kept), 201)


@router.post("/silences/{number}/end", status_code=204, summary="End a silence")
def end_silence(app_context: Context, person: Caller, number: MessageNumber) -> Response:
    """At once. One that is over stays over: the same request may come twice."""
    with app_context.store.begin() as tx:
        end_kept(tx, person, number, app_context.parse, app_context.clock.now())
    return Response(status_code=204)


@router.get("/channels", response_model=ChannelsOut, summary="Where messages go")
def channels(request: Request, app_context: Context, person: Caller) -> Response:
    """The channels of the server's file, each with its addresses (no secrets), and what is wrong with them."""
    person.must("notify", None)
    plan = notify_plan(app_context.settings)
    named = {name: [one.label for one in senders] for name, senders in plan.senders.items()}
    body = {"configured": plan.file is not None, "channels": named, "problems": [*plan.problems]}
    return json_response(request, body)


@router.post(
    "/channels/{channel}/test",
    status_code=202,
    response_model=TriedOut,
    summary="Try a channel out",
)
def try_channel(
    app_context: Context,
    person: Caller,
    channel: Annotated[str, Path(max_length=200)],
    key: IdempotencyKey = None,
) -> JSONResponse:
    """A notice that takes the way of all others; the log says whether it arrived."""
    person.must("notify", None)
    known_channel(notify_plan(app_context.settings).channels, channel)
    with app_context.store.begin() as tx:
        try_out(tx, channel, person.actor, app_context.clock.now(), _keyed(person, key))
    return JSONResponse({"channel": channel}, 202)


def _keyed(person: Person, key: str | None) -> str | None:
    return f"{person.actor}:{key}" if key else None


def _silence(kept: Silence) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(kept)
    return {name: plain[name] for name in SilenceOut.model_fields}


def _row(row: Delivery) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(row)
    return {name: plain[name] for name in MessageOut.model_fields}
