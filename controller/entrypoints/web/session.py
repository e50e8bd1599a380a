"""Who looks at the page: a signed cookie, and a signed mark in every form against forged requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import Response

from controller.domain.errors import Forbidden, NotLoggedIn
from controller.entrypoints.api.desk import Desk, desk_of
from controller.service.access import Person, digest_of, everything

COOKIE = "incumbent_session"
_LASTS = 12 * 3600
_FORM_LASTS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A person at the page. ``mark`` goes into every form."""

    person: Person
    mark: str


def _signer(desk: Desk, salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(desk.key, salt=f"incumbent.{salt}")


def _load(desk: Desk, salt: str, text: str, lasts: int) -> Any:
    try:
        return _signer(desk, salt).loads(text, max_age=lasts)
    except BadSignature:  # forged, of another key, or run out
        return None


def session_of(request: Request) -> Session | None:
    """The session of this request; None if nobody is logged in."""
    desk = desk_of(request)
    person = _person(desk, request.cookies.get(COOKIE, "")) or desk.unnamed()
    if person is None:
        return None
    mark = _signer(desk, "form").dumps(person.actor)
    return Session(person, str(mark))


def _person(desk: Desk, cookie: str) -> Person | None:
    kept = _load(desk, "session", cookie, _LASTS) if cookie else None
    if not isinstance(kept, dict):
        return None
    if "token" in kept:
        try:
            return desk.bearer(kept["token"])
        except NotLoggedIn:
            return None
    return everything(kept["actor"], desk.settings.groups)


def log_in_by_link(desk: Desk, response: Response, actor: str, *, secure: bool) -> None:
    """Who opened the one-time link sits at the machine: may do everything."""
    _remember(desk, response, {"actor": actor}, secure=secure)


def log_in_by_token(desk: Desk, response: Response, secret: str, *, secure: bool) -> Person:
    """A session with the rights of a token; it ends with it."""
    digest = digest_of(secret.strip())
    person = desk.bearer(digest)
    _remember(desk, response, {"token": digest}, secure=secure)
    return person


def _remember(desk: Desk, response: Response, kept: dict[str, str], *, secure: bool) -> None:
    value = _signer(desk, "session").dumps(kept)
    text = str(value)
    response.set_cookie(
        COOKIE, text, max_age=_LASTS, httponly=True, samesite="lax", secure=secure, path="/"
    )


def check_form(request: Request, session: Session, mark: str) -> None:
    """Forbidden unless the form came from a page of ours that this person was shown."""
    origin = request.headers.get("origin")
    if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("This form was sent from another site.")
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("This form was sent from another site.")
    if _load(desk_of(request), "form", mark, _FORM_LASTS) != session.person.actor:
        raise Forbidden("This form is too old or not yours.", hint="Open the page again.")
