"""The pages where one says who one is: by a token, a one-time link, or an identity provider."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from controller.domain.errors import NotLoggedIn
from controller.entrypoints.api.context import AppContext, Context, LoginLinks
from controller.entrypoints.web.render import render_page
from controller.entrypoints.web.request import Visitor, base_of, local
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

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, app_context: Context) -> Response:
    """Where one says who one is."""
    return render_page(
        request,
        "login.html",
        login=app_context.settings.login,
        following=local(request.query_params.get("next")),
        problem="",
    )


@router.post("/login")
def login_form(
    request: Request,
    app_context: Context,
    token: Annotated[str, Form()] = "",
    following: Annotated[str, Form()] = "/",
) -> Response:
    """Log in with a token. From a page of ours only: another's form would log people in as somebody else."""
    check_origin(request)
    response = RedirectResponse(base_of(request) + local(following), 303)
    try:
        log_in_by_token(app_context, response, token, secure=request.url.scheme == "https")
    except NotLoggedIn as error:
        return render_page(
            request,
            "login.html",
            401,
            login=app_context.settings.login,
            following=local(following),
            problem=error.message,
        )
    return response


@router.get("/go")
def go(request: Request, app_context: Context) -> Response:
    """A link of a message (`to`) leads to its page; a login link (`key`) to a button, for scanners open links."""
    asked = request.query_params.get("to")
    if asked is not None:
        return RedirectResponse(
            base_of(request)
            + local(app_context.message_links.read(asked, app_context.clock.now())),
            303,
        )
    return render_page(request, "go.html", key=request.query_params.get("key", ""))


@router.post("/go")
def go_in(request: Request, app_context: Context, key: Annotated[str, Form()]) -> Response:
    """Use the one-time link, from a page of ours only."""
    check_origin(request)
    if app_context.settings.login != "link":
        raise NotLoggedIn("This server takes no login links.", hint="Log in with a token.")
    actor = LoginLinks.use(app_context.store, app_context.key, key)
    response = RedirectResponse(base_of(request) + "/", 303)
    log_in_by_link(app_context, response, actor, secure=request.url.scheme == "https")
    return response


def _callback(request: Request, app_context: AppContext) -> str:
    """Where the provider sends people back to: the address that they reach us by."""
    base = app_context.settings.page_url or str(request.base_url)
    return f"{base.rstrip('/')}/oidc/callback"


@router.get("/oidc/login")
def oidc_login(request: Request, app_context: Context) -> Response:
    """To the identity provider."""
    following = local(request.query_params.get("next"))
    secure = request.url.scheme == "https"
    return begin_oidc(
        app_context, app_context.provider, _callback(request, app_context), following, secure=secure
    )


@router.get("/oidc/callback")
def oidc_callback(request: Request, app_context: Context) -> Response:
    """Back from it: the session begins. The code is good once, and for the browser that began only."""
    identity, following = finish_oidc(
        app_context, app_context.provider, request, _callback(request, app_context)
    )
    response = RedirectResponse(base_of(request) + local(following), 303)
    log_in_by_oidc(app_context, response, identity, secure=request.url.scheme == "https")
    return response


@router.post("/logout")
def logout(request: Request, session: Visitor, mark: Annotated[str, Form()] = "") -> Response:
    """End the session, for every process that serves the page."""
    check_form(request, session, mark)
    end_session(request)
    response = RedirectResponse(base_of(request) + "/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
