"""What every page asks of a request: who looks, a number of its query, and where a form leads back to."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from controller.domain.errors import NotLoggedIn
from controller.entrypoints.web.session import PageSession, page_session_of


def visitor(request: Request) -> PageSession:
    """Who looks; NotLoggedIn (for a person: the login page) if nobody is logged in."""
    session = page_session_of(request)
    if session is None:
        raise NotLoggedIn("Log in first.")
    if not session.person.roles:
        session.person.must("read", None)
    return session


Visitor = Annotated[PageSession, Depends(visitor)]


def number_in(text: str | None) -> int | None:
    """A number of a query, None if it is none: a filter that cannot be read filters nothing."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 18 else None


def base_of(request: Request) -> str:
    """The path below which we are served."""
    base: str = request.scope.get("root_path", "")
    return base


def local(path: str | None) -> str:
    """A path of ours without a query; anything else is the home page: nobody is sent elsewhere by our links."""
    text = (path or "/").partition("?")[0].partition("#")[0]
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return quote(text, safe="/%.~_-") if good else "/"
