"""What people say by a form: words, delegations, comments. Each carries a mark and an idempotency key."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi import Path as PathPart
from starlette.responses import RedirectResponse, Response

from controller.domain.errors import UserError
from controller.entrypoints.api.context import Context
from controller.entrypoints.web.request import Visitor, base_of, local, number_in
from controller.entrypoints.web.session import check_form
from controller.service.commands.comments import add_comment, subject_model
from controller.service.commands.delegate import Wish, add_delegation, take_back
from controller.service.commands.submit import COMMANDS, Command, owner_of

router = APIRouter(include_in_schema=False)


@router.post("/words")
def words(
    request: Request,
    app_context: Context,
    session: Visitor,
    *,
    word: Annotated[str, Form()],
    model: Annotated[str, Form()],
    mark: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=200)] = "",
    reason: Annotated[str, Form()] = "",
    version: Annotated[str, Form()] = "",
    expect_version: Annotated[str, Form()] = "",
    evidence: Annotated[str, Form()] = "",
    run: Annotated[str, Form()] = "",
    signal: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """A person's word; the answer is shown on the page that the button stands on."""
    check_form(request, session, mark)
    if word not in COMMANDS:
        raise UserError(f"Nothing is called {word!r} here.")
    said = Command(
        action=word,
        model=model,
        reason=reason,
        version=number_in(version),
        expect_version=number_in(expect_version),
        evidence=evidence or None,
        run=run or None,
        payload={"signal": number_in(signal)} if signal else {},
        key=f"form:{key}" if key else None,
    )
    kept, _ = app_context.submit(session.person, said)
    return RedirectResponse(f"{base_of(request)}{local(back)}?signal={kept.id}", 303)


@router.post("/delegations")
def away(
    request: Request,
    app_context: Context,
    session: Visitor,
    *,
    to: Annotated[str, Form(max_length=200)],
    days: Annotated[int, Form(ge=1, le=90)],
    reason: Annotated[str, Form(max_length=2000)] = "",
    mark: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Let somebody approve in one's place."""
    check_form(request, session, mark)
    now = app_context.clock.now()
    until = now.replace(second=0, microsecond=0) + timedelta(days=days)
    with app_context.store.begin() as tx:
        wish = Wish(to=to, until=until, reason=reason, key=f"form:{key}" if key else None)
        add_delegation(tx, session.person, wish, now)
    return RedirectResponse(f"{base_of(request)}/#away", 303)


@router.post("/delegations/{number}/end")
def back(
    request: Request,
    app_context: Context,
    session: Visitor,
    number: Annotated[int, PathPart(ge=1, le=2**31 - 1)],
    mark: Annotated[str, Form()] = "",
) -> Response:
    """Take a delegation back."""
    check_form(request, session, mark)
    with app_context.store.begin() as tx:
        take_back(tx, session.person, number, app_context.clock.now())
    return RedirectResponse(f"{base_of(request)}/#away", 303)


@router.post("/comments")
def comment_form(
    request: Request,
    app_context: Context,
    session: Visitor,
    *,
    subject: Annotated[str, Form()],
    text: Annotated[str, Form()] = "",
    mark: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=200)] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Say something beside a decision, a run or a version."""
    check_form(request, session, mark)
    with app_context.store.begin() as tx:
        owner = owner_of(tx, subject_model(tx, subject), app_context.parse)
        session.person.must("comment", owner)
        add_comment(
            tx,
            subject,
            session.person.actor,
            text,
            app_context.clock.now(),
            f"form:{key}" if key else None,
        )
    return RedirectResponse(f"{base_of(request)}{local(back)}#talk", 303)
