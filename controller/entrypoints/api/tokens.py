"""Tokens over the API: an admin orders, lists and revokes them. The answer to an order is the one time one is shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from controller.domain.canonical import to_plain
from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import Context
from controller.entrypoints.api.problems import WRITE_ERRORS
from controller.entrypoints.api.read import json_response
from controller.entrypoints.api.write import IdempotencyKey
from controller.ports import Token
from controller.service.commands.access import TokenOrder, parse_role
from controller.service.commands.tokens import grant_token, revoke_token, tokens_in_charge

router = APIRouter(prefix="/v1", responses=WRITE_ERRORS)

_RoleWord = Literal["viewer", "reviewer", "operator", "admin"]
_Owner = Annotated[str, Field(min_length=1, max_length=200)]


class TokenIn(BaseModel):
    """A token that somebody orders."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200, examples=["ci"])
    role: _RoleWord = Field("viewer", description="What it may do at most.", examples=["operator"])
    owners: list[_Owner] = Field(
        [],
        max_length=100,
        examples=[["arrivals-team"]],
        description="Only with models of these; none: with all.",
    )
    seconds: int = Field(
        30 * 86_400, ge=1, le=366 * 86_400, examples=[86_400], description="How long it is good."
    )
    actor: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        examples=["person:ci"],
        description="Whom it speaks for; default: who orders it.",
    )


class TokenOut(BaseModel):
    """A token without its secret."""

    name: str = Field(examples=["ci"])
    actor: str
    role: str = Field(examples=["operator"])
    created_by: str
    created_at: datetime
    expires_at: datetime
    owners: list[str] = Field(examples=[["arrivals-team"]])
    revoked_at: datetime | None
    id: int


class TokenMade(TokenOut):
    """A new token with its secret, which nobody can show again."""

    token: str = Field(examples=["inc_..."])


@router.get("/tokens", response_model=list[TokenOut], summary="Who may call")
def list_tokens(request: Request, app_context: Context, person: Caller) -> Response:
    """Every token that you could have made, newest first, also those that ended. For admins."""
    with app_context.store.read() as tx:
        return json_response(request, [_row(token) for token in tokens_in_charge(tx, person)])


@router.post("/tokens", status_code=201, response_model=TokenMade, summary="Make a token")
def create_token(
    app_context: Context, person: Caller, body: TokenIn, key: IdempotencyKey = None
) -> JSONResponse:
    """For admins, and for no more than they may themselves. `token` is shown in this answer only.

    The same key never makes a second one: it is refused (409) with the number of the first.
    """
    speaks = body.actor or person.actor
    order = TokenOrder(
        name=body.name,
        actor=speaks if ":" in speaks else f"person:{speaks}",
        role=parse_role(body.role),
        lasts=timedelta(seconds=body.seconds),
        owners=tuple(dict.fromkeys(body.owners)),
        key=key,
    )
    with app_context.store.begin() as tx:
        secret, kept = grant_token(
            tx, person, order, app_context.settings.groups, app_context.clock.now()
        )
    return JSONResponse({**_row(kept), "token": secret}, 201, {"cache-control": "no-store"})


@router.delete("/tokens/{number}", response_model=TokenOut, summary="Revoke a token")
def end_token(
    app_context: Context, person: Caller, number: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> JSONResponse:
    """At once: one's own, or one that you could have made. One that was revoked before stays as it is."""
    with app_context.store.begin() as tx:
        return JSONResponse(_row(revoke_token(tx, person, number, app_context.clock.now())))


def _row(token: Token) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(token)
    return {name: plain[name] for name in TokenOut.model_fields}
