"""`/healthz`, `/readyz` and `/metrics` at the server of the page: the first two for everybody, figures for readers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import context_of
from controller.entrypoints.observe import HttpAnswer, Probes
from controller.service.commands.isolation import is_isolated

router = APIRouter(
    include_in_schema=False
)  # for the platform: no part of the API that programs build on


def _told(answer: HttpAnswer) -> Response:
    return Response(answer.body, answer.status, media_type=answer.kind)


def _probes(request: Request) -> Probes:
    probes: Probes = request.app.state.probes
    return probes


@router.get("/healthz")
def healthz(request: Request) -> Response:
    """200, also while the database does not answer; 500 if only a restart helps."""
    return _told(_probes(request).health())


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """200 or 503, and each condition by name."""
    return _told(_probes(request).readiness())


@router.get("/metrics")
def metrics(request: Request, person: Caller) -> Response:
    """In the exposition format, from memory; the age of what it says is one of the metrics."""
    if is_isolated(person, context_of(request).settings.isolation):
        person.must("read", None)
    return _told(_probes(request).metrics())
