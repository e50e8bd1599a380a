"""Who calls the API: the bearer of a token, or, to read, who is logged in at the page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from controller.domain.errors import NotLoggedIn
from controller.entrypoints.api.context import context_of, proven
from controller.entrypoints.web.session import page_session_of
from controller.service.commands.access import Person, digest_of


def caller(request: Request) -> Person:
    """Who calls the API: the bearer of a token. NotLoggedIn otherwise."""
    app_context = context_of(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return proven(request, app_context.bearer(digest_of(secret.strip())))
    unnamed = app_context.unnamed()
    if unnamed is not None:
        return unnamed
    session = page_session_of(request)
    if session is not None and request.method in {"GET", "HEAD"}:
        return session.person
    raise NotLoggedIn(
        "This needs a token.",
        hint="Send `Authorization: Bearer inc_...`; `incumbent token create` makes one.",
    )


def reader(request: Request) -> Person:
    """A caller who may read. Reading takes a role, for all models or for those of one owner."""
    person = caller(request)
    if not person.roles:
        person.must("read", None)
    return person


Caller = Annotated[Person, Depends(reader)]
