"""The page of messages: what was told to whom about what, what did not arrive and why, and what is silenced."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request
from fastapi import Path as PathPart
from starlette.responses import RedirectResponse, Response

from controller.bootstrap import notify_plan
from controller.domain.errors import ConfigurationError, NotFound
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.web.render import render_page
from controller.entrypoints.web.request import Visitor, base_of, number_in
from controller.entrypoints.web.session import check_form
from controller.ports import Delivery, DeliveryQuery, DeliveryState, Notice, Silence, Transaction
from controller.service.commands.access import Person
from controller.service.messages.again import (
    finish_silence,
    keep_silence,
    must_handle,
    must_silence,
    send_again,
    why_not_again,
    why_not_handle,
    why_not_silence,
)

router = APIRouter(include_in_schema=False)
_PAGE = 50
_SHOWN = 3
"""Notices of a message that a row shows; its own page shows all that are kept."""

MessageNumberPart = Annotated[int, PathPart(ge=1, le=2**63 - 1)]


@router.get("/messages")
def messages_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """The delivery log, newest first, with the silences in force and where the channels lead."""
    asked = request.query_params
    state, decision = asked.get("state") or "", number_in(asked.get("decision"))
    query = DeliveryQuery(
        channel=asked.get("channel") or None,
        states=(state,) if state in set(DeliveryState) else (),
        before=number_in(asked.get("before")),
        limit=_PAGE,
        decision=decision,
    )
    with app_context.store.read() as tx:
        found = tx.deliveries.find(query)
        rows = [_row(tx, one) for one in found]
        for row in rows:
            row["why_not"] = "-"
            if row["message"].state is DeliveryState.FAILED:
                row["why_not"] = _why_not(tx, app_context, session.person, row["message"])
        silences = [
            (one, why_not_silence(tx, session.person, one, app_context.parse))
            for one in tx.silences.active(app_context.clock.now())
        ]
    return render_page(
        request,
        "messages.html",
        rows=rows,
        asked=asked,
        state=state,
        decision=decision,
        states=[one.value for one in DeliveryState],
        silences=silences,
        more=_more(dict(asked), found),
        may_silence=_may_silence(session.person),
        channels=_channels(app_context) if not session.person.why_not("notify", None) else None,
    )


@router.get("/messages/{number}")
def message(request: Request, app_context: Context, session: Visitor, number: str) -> Response:
    """One message with all that it says, and what became of it."""
    wanted = number_in(number)
    with app_context.store.read() as tx:
        found = tx.deliveries.get(wanted) if wanted else None
        if found is None:
            raise NotFound(f"There is no message {number}.", hint="The page Messages lists them.")
        row = _row(tx, found, shown=len(found.notices))
        row["why_not"] = _why_not(tx, app_context, session.person, found)
    return render_page(request, "message.html", row=row)


@router.post("/messages/{number}/again")
def repeat_message(
    request: Request,
    app_context: Context,
    session: Visitor,
    number: MessageNumberPart,
    mark: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Send it again; the answer is the page of the copy."""
    check_form(request, session, mark)
    with app_context.store.begin() as tx:
        held = tx.deliveries.get(number)
        if held is not None:
            must_handle(tx, session.person, held, app_context.parse)
        copy = send_again(tx, number, app_context.clock.now(), _keyed(session.person, key))
    return RedirectResponse(f"{base_of(request)}/messages/{copy.id}", 303)


@router.post("/silences")
def silence_form(
    request: Request,
    app_context: Context,
    session: Visitor,
    *,
    hours: Annotated[int, Form(ge=1, le=720)],
    reason: Annotated[str, Form(max_length=2000)] = "",
    model: Annotated[str, Form(max_length=200)] = "",
    event: Annotated[str, Form(max_length=200)] = "",
    channel: Annotated[str, Form(max_length=200)] = "",
    mark: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Silence something for a while."""
    check_form(request, session, mark)
    now = app_context.clock.now()
    wanted = Silence(
        reason=reason.strip(),
        created_by=session.person.actor,
        created_at=now,
        ends_at=now + timedelta(hours=hours),
        model=model.strip() or None,
        event=event.strip() or None,
        channel=channel.strip() or None,
        key=_keyed(session.person, key),
    )
    with app_context.store.begin() as tx:
        must_silence(tx, session.person, wanted, app_context.parse)
        keep_silence(tx, wanted, now)
    return RedirectResponse(f"{base_of(request)}/messages#silences", 303)


@router.post("/silences/{number}/end")
def end_silence_form(
    request: Request,
    app_context: Context,
    session: Visitor,
    number: MessageNumberPart,
    mark: Annotated[str, Form()] = "",
) -> Response:
    """End a silence now."""
    check_form(request, session, mark)
    with app_context.store.begin() as tx:
        finish_silence(tx, session.person, number, app_context.parse, app_context.clock.now())
    return RedirectResponse(f"{base_of(request)}/messages#silences", 303)


def _keyed(person: Person, key: str) -> str | None:
    return f"{person.actor}:form:{key}" if key else None


def _row(tx: Transaction, kept: Delivery, shown: int = _SHOWN) -> dict[str, Any]:
    told = kept.notices[:shown]
    return {
        "message": kept,
        "notices": [(one, _place(one)) for one in told],
        "left": kept.count - sum(one.times for one in told),
        "silence": tx.silences.get(kept.silence) if kept.silence else None,
    }


def _place(notice: Notice) -> str:
    """Where on the page it is shown."""
    if notice.path is not None and notice.path.startswith("/"):
        return notice.path
    if notice.decision is not None:
        return f"/decisions/{notice.decision}"
    return f"/models/{quote(notice.model, safe='')}"


def _why_not(tx: Transaction, app_context: AppContext, person: Person, kept: Delivery) -> str:
    return why_not_handle(tx, person, kept, app_context.parse) or why_not_again(kept)


def _may_silence(person: Person) -> str:
    """Why not, in one sentence; empty for whoever operates models of anybody."""
    whys = [person.why_not("notify", owner) for owner in person.roles]
    return "" if "" in whys else person.why_not("notify", None)


def _more(asked: dict[str, str], found: list[Delivery]) -> str:
    """The query of the part after this one; empty when this was all."""
    if len(found) < _PAGE:
        return ""
    kept = {name: value for name, value in asked.items() if value}
    return "?" + urlencode(kept | {"before": str(found[-1].id)})


def _channels(app_context: AppContext) -> dict[str, Any]:
    """Where channels lead (labels without secrets), and each mistake of the file."""

    def ask() -> dict[str, Any]:
        try:
            plan = notify_plan(app_context.settings)
        except ConfigurationError as error:
            return {"named": {}, "problems": [error.sentence()], "file": True}
        named = {name: [one.label for one in them] for name, them in plan.senders.items()}
        return {"named": named, "problems": [*plan.problems], "file": plan.file is not None}

    return app_context.kept("channels", ask)
