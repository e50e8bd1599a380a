"""Who looks at the page: a signed cookie, and a signed mark in every form against forged requests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import RedirectResponse, Response

from controller.adapters.oidc import Begun, LoginIdentity, OpenIdProvider
from controller.domain.errors import Forbidden, NotLoggedIn
from controller.entrypoints.api.context import AppContext, context_of, proven
from controller.service.commands.access import Person, digest_of, everything, person_of

COOKIE = "incumbent_session"
OIDC_COOKIE = "incumbent_oidc"
_OIDC_LASTS = 600
_LASTS = 12 * 3600
_FORM_LASTS = 12 * 3600
_ENDED = "ended session"


@dataclass(frozen=True, slots=True)
class PageSession:
    """A person at the page. ``mark`` goes into every form."""

    person: Person
    mark: str


def _signer(app_context: AppContext, salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(app_context.key, salt=f"incumbent.{salt}")


def _load(app_context: AppContext, salt: str, text: str, lasts: int) -> Any:
    try:
        return _signer(app_context, salt).loads(text, max_age=lasts)
    except BadSignature:  # forged, of another key, or run out
        return None


def page_session_of(request: Request) -> PageSession | None:
    """The session of this request; None if nobody is logged in."""
    app_context = context_of(request)
    known = _person(app_context, request.cookies.get(COOKIE, ""))
    person = proven(request, known) if known else app_context.unnamed()
    if person is None:
        return None
    mark = _signer(app_context, "form").dumps(person.actor)
    return PageSession(person, str(mark))


def _kept(app_context: AppContext, cookie: str) -> dict[str, Any] | None:
    """What the cookie of a session holds; None if it is not ours, ran out, or the person has logged out."""
    kept = _load(app_context, "session", cookie, _LASTS) if cookie else None
    if not isinstance(kept, dict) or not isinstance(kept.get("id"), str):
        return None
    with app_context.store.read(snapshot=False) as tx:
        return None if tx.nonces.used(_ENDED, kept["id"]) else kept


def end_session(request: Request) -> None:
    """End the session of this request: its cookie is good nowhere any more, whoever has a copy of it."""
    app_context = context_of(request)
    kept = _kept(app_context, request.cookies.get(COOKIE, ""))
    if kept is not None:
        now = datetime.now(UTC)
        with app_context.store.begin() as tx:
            tx.nonces.use(_ENDED, kept["id"], until=now + timedelta(seconds=_LASTS), at=now)


def _person(app_context: AppContext, cookie: str) -> Person | None:
    kept = _kept(app_context, cookie)
    if kept is None:
        return None
    if "token" in kept:
        try:
            return app_context.bearer(kept["token"])
        except NotLoggedIn:
            return None
    if app_context.settings.login == "oidc" and "oidc" in kept:
        settings = app_context.settings
        return person_of(kept["oidc"], settings.groups, settings.roles, kept.get("groups", ()))
    if app_context.settings.login == "link" and "actor" in kept:
        return everything(kept["actor"], app_context.settings.groups)
    return None  # of another way to log in, which is not in force any more


def begin_oidc(
    app_context: AppContext,
    provider: OpenIdProvider,
    redirect_uri: str,
    following: str,
    *,
    secure: bool,
) -> Response:
    """Send the person to the provider; what the callback is held against goes into a cookie of ten minutes."""
    begun = provider.begin(redirect_uri)
    response = RedirectResponse(begun.url, 303)
    kept = {
        "state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "next": following
    }  # fmt: skip
    value = str(_signer(app_context, "oidc").dumps(kept))
    response.set_cookie(
        OIDC_COOKIE, value, max_age=_OIDC_LASTS, httponly=True, samesite="lax", secure=secure,
        path="/oidc",
    )  # fmt: skip
    return response


def finish_oidc(
    app_context: AppContext, provider: OpenIdProvider, request: Request, redirect_uri: str
) -> tuple[LoginIdentity, str]:
    """Who came back from the provider, and where they wanted to go."""
    kept = _load(app_context, "oidc", request.cookies.get(OIDC_COOKIE, ""), _OIDC_LASTS)
    if not isinstance(kept, dict) or kept["state"] != request.query_params.get("state"):
        raise NotLoggedIn("This login was not begun here, or ran out.", hint="Log in again.")
    begun = Begun(url="", state=kept["state"], nonce=kept["nonce"], verifier=kept["verifier"])
    callback = f"{redirect_uri}?{request.url.query}"
    return provider.finish(begun, callback, redirect_uri), str(kept["next"])


def log_in_by_oidc(
    app_context: AppContext, response: Response, identity: LoginIdentity, *, secure: bool
) -> None:
    """A session with the roles that the settings give to the person and their groups."""
    kept = {"oidc": identity.actor, "groups": list(identity.groups)}
    _remember(app_context, response, kept, secure=secure)
    response.delete_cookie(OIDC_COOKIE, path="/oidc")


def log_in_by_link(
    app_context: AppContext, response: Response, actor: str, *, secure: bool
) -> None:
    """Who opened the one-time link sits at the machine: may do everything."""
    _remember(app_context, response, {"actor": actor}, secure=secure)


def log_in_by_token(
    app_context: AppContext, response: Response, secret: str, *, secure: bool
) -> Person:
    """A session with the rights of a token; it ends with it."""
    digest = digest_of(secret.strip())
    person = app_context.bearer(digest)
    _remember(app_context, response, {"token": digest}, secure=secure)
    return person


def _remember(
    app_context: AppContext, response: Response, kept: dict[str, Any], *, secure: bool
) -> None:
    value = _signer(app_context, "session").dumps({**kept, "id": secrets.token_urlsafe(16)})
    text = str(value)
    response.set_cookie(
        COOKIE, text, max_age=_LASTS, httponly=True, samesite="lax", secure=secure, path="/"
    )


def check_origin(request: Request) -> None:
    """Forbidden if another site's page sent this form. Browsers say where a form comes from; programs need not."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    # A page that hides its address (`null`) is ours only if the browser says so besides.
    hidden = origin == "null" and request.headers.get("sec-fetch-site") == "same-origin"
    if not (ours or hidden) or site not in {"same-origin", "none"}:
        raise Forbidden("This form was sent from another site.", hint="Open the page here.")


def check_form(request: Request, session: PageSession, mark: str) -> None:
    """Forbidden unless the form came from a page of ours that this person was shown."""
    check_origin(request)
    if _load(context_of(request), "form", mark, _FORM_LASTS) != session.person.actor:
        raise Forbidden("This form is too old or not yours.", hint="Open the page again.")
