"""Builds the application: guard, API, page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from controller import __version__
from controller.adapters.clock import SystemClock
from controller.bootstrap import (
    artifact_store_of,
    build_observer,
    build_tracing,
    page_key,
    revision_source,
)
from controller.domain.errors import ConfigurationError
from controller.entrypoints.api import (
    internal,
    messages,
    probe,
    problems,
    read,
    stream,
    tokens,
    use,
    write,
)
from controller.entrypoints.api.context import LOOPBACK, AppContext, openid_config
from controller.entrypoints.api.examples import with_examples
from controller.entrypoints.api.guard import Guard
from controller.entrypoints.api.resolving import ShortWay
from controller.entrypoints.api.watch import EventWatch
from controller.entrypoints.observe import Probes
from controller.ports import Store
from controller.service.commands.access import parse_role
from controller.service.observe.observer import Observer
from controller.settings import Settings

_ABOUT = """\
What a program may ask Incumbent and tell it. Lists come newest first with a cursor; every write takes an
`Idempotency-Key`; every error is problem details (RFC 9457). A token comes from `incumbent token create`.
"""


def open_app_context(settings: Settings, store: Store, **changes: Any) -> AppContext:
    """A app_context over a store, with the rules as files write them."""
    from controller.rulefmt import blob_id, load_policy

    given: dict[str, Any] = {
        "settings": settings,
        "store": store,
        "clock": SystemClock(),
        "parse": load_policy,
        "blob_id": blob_id,
        "key": page_key(settings),
    }
    given["tracing"] = build_tracing(settings, store, "incumbent-api")
    given["open_revisions"] = lambda: revision_source(settings)
    if "observer" not in changes:
        given["observer"] = build_observer(settings, store)
    if "artifacts" not in changes and "://" not in settings.artifacts:
        given["artifacts"] = artifact_store_of(settings)
    given["is_local"] = settings.database.startswith("sqlite")
    return AppContext(**(given | changes))


def check_exposure(settings: Settings) -> None:
    """ConfigurationError if people beyond this machine could do things without saying who they are."""
    for key in settings.roles:
        parse_role(key.partition("@")[0])
    if settings.login == "oidc":
        openid_config(settings)
        if not settings.roles:
            raise ConfigurationError(
                "With the login oidc nobody may do anything, for the settings give no roles.",
                hint='Set roles, such as viewer = ["*"] and reviewer = ["group:leads"].',
            )
    if settings.host in LOOPBACK:
        return
    if settings.login == "link":
        raise ConfigurationError(
            f"The page would listen on {settings.host} with the login of one person's own machine.",
            hint="Set INCUMBENT_LOGIN=token or oidc, or INCUMBENT_LOGIN=none to let everybody read.",
        )


def create_app(app_context: AppContext) -> FastAPI:
    """The application over one app_context."""
    check_exposure(app_context.settings)
    app = FastAPI(
        title="Incumbent",
        version=__version__,
        summary="Continuous training: every model must defend its seat.",
        description=_ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page loads scripts from a foreign host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.app_context = app_context
    app.state.probes = Probes(
        app_context.observer or Observer(app_context.store, app_context.clock)
    )
    app.state.watch = EventWatch(app_context, app_context.settings.api_streams)
    problems.install(app)
    # Routes are tried in this order, 2 µs each: what serving asks a thousand times a second comes first.
    if app_context.settings.mlflow != "off":
        from controller.entrypoints.mlflow.routes import mount_mlflow

        mount_mlflow(app)
    for router in (
        use.router, read.router, write.router, internal.router, stream.router, messages.router, tokens.router,
        probe.router,
    ):  # fmt: skip
        app.include_router(router)
    from controller.entrypoints.web.routes import mount_pages

    mount_pages(app)
    app.add_middleware(ShortWay)
    app.add_middleware(
        Guard,
        largest=app_context.settings.api_body,
        rate=app_context.settings.api_rate,
        hosts=_names(app_context.settings),
    )
    _document(app)
    return app


def _names(settings: Settings) -> set[str] | None:
    """The names that this server goes by on one machine; None elsewhere: what stands before it decides."""
    if settings.host not in LOOPBACK:
        return None
    named = urlsplit(settings.page_url or "").hostname
    return {*LOOPBACK, "[::1]", *([named] if named else [])}


def _document(app: FastAPI) -> None:
    """Add to the OpenAPI document what FastAPI cannot know: problem details, and how one logs in."""
    plain = app.openapi

    def whole() -> dict[str, Any]:
        document = plain()
        shapes = document.setdefault("components", {}).setdefault("schemas", {})
        shapes["Problem"] = problems.ProblemDetails.model_json_schema()
        shapes.pop("HTTPValidationError", None)
        shapes.pop("ValidationError", None)
        with_examples(shapes)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        return document

    app.openapi = whole  # type: ignore[method-assign]
