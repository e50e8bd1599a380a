"""The pages where one says who one is: by a token, a one-time link, or an identity provider."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from controller.domain.errors import NotLoggedIn
from controller.entrypoints.api.desk import At, Desk, LoginLinks
from controller.entrypoints.web.render import page
from controller.entrypoints.web.session import (
    COOKIE,
    begin_oidc,
    check_form,
    check_origin,
    end_session,
    finish_oidc,
    log_in_by_link,
    log_in_by_oidc,
    log_in_by_token,
)
from controller.entrypoints.web.visit import Visitor, base_of, local

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, desk: At) -> Response:
    """Where one says who one is."""
    return page(
        request,
        "login.html",
        login=desk.settings.login,
        following=local(request.query_params.get("next")),
        problem="",
    )


@router.post("/login")
def login(
    request: Request,
    desk: At,
    token: Annotated[str, Form()] = "",
    following: Annotated[str, Form()] = "/",
) -> Response:
    """Log in with a token. From a page of ours only: another's form would log people in as somebody else."""
    check_origin(request)
    response = RedirectResponse(base_of(request) + local(following), 303)
    try:
        log_in_by_token(desk, response, token, secure=request.url.scheme == "https")
    except NotLoggedIn as error:
        return page(
            request,
            "login.html",
            401,
            login=desk.settings.login,
            following=local(following),
            problem=error.message,
        )
    return response


@router.get("/go")
def go(request: Request, desk: At) -> Response:
    """A link of a message (`to`) leads to its page; a login link (`key`) to a button, for scanners open links."""
    asked = request.query_params.get("to")
    if asked is not None:
        return RedirectResponse(
            base_of(request) + local(desk.message_links.read(asked, desk.clock.now())), 303
        )
    return page(request, "go.html", key=request.query_params.get("key", ""))


@router.post("/go")
def go_in(request: Request, desk: At, key: Annotated[str, Form()]) -> Response:
    """Use the one-time link, from a page of ours only."""
    check_origin(request)
    if desk.settings.login != "link":
        raise NotLoggedIn("This server takes no login links.", hint="Log in with a token.")
    actor = LoginLinks.use(desk.store, desk.key, key)
    response = RedirectResponse(base_of(request) + "/", 303)
    log_in_by_link(desk, response, actor, secure=request.url.scheme == "https")
    return response


def _callback(request: Request, desk: Desk) -> str:
    """Where the provider sends people back to: the address that they reach us by."""
    base = desk.settings.page_url or str(request.base_url)
    return f"{base.rstrip('/')}/oidc/callback"


@router.get("/oidc/login")
def oidc_login(request: Request, desk: At) -> Response:
    """To the identity provider."""
    following = local(request.query_params.get("next"))
    secure = request.url.scheme == "https"
    return begin_oidc(desk, desk.provider, _callback(request, desk), following, secure=secure)


@router.get("/oidc/callback")
def oidc_callback(request: Request, desk: At) -> Response:
    """Back from it: the session begins. The code is good once, and for the browser that began only."""
    identity, following = finish_oidc(desk, desk.provider, request, _callback(request, desk))
    response = RedirectResponse(base_of(request) + local(following), 303)
    log_in_by_oidc(desk, response, identity, secure=request.url.scheme == "https")
    return response


@router.post("/logout")
def logout(request: Request, session: Visitor, mark: Annotated[str, Form()] = "") -> Response:
    """End the session, for every process that serves the page."""
    check_form(request, session, mark)
    end_session(request)
    response = RedirectResponse(base_of(request) + "/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
