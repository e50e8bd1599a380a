"""The page of a version: where it comes from, how it was judged, what became of it, and what people say about it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.domain.errors import NotFound
from controller.domain.runs import Run
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.web.lineage import provenance_view
from controller.entrypoints.web.render import render_page
from controller.entrypoints.web.request import Visitor, number_in
from controller.ports import Transaction
from controller.service.commands.access import Person
from controller.service.commands.submit import owner_of
from controller.service.explain.documents import document_if_there

router = APIRouter(include_in_schema=False)


@router.get("/models/{model}/versions/{number}")
def version(
    request: Request, app_context: Context, session: Visitor, model: str, number: str
) -> Response:
    """One version with its lineage and its comments."""
    wanted = number_in(number.removeprefix("v")) or 0
    with app_context.store.read() as tx:
        view = _view(tx, app_context, model, wanted, session.person)
    return render_page(request, "version.html", **view)


def _view(
    tx: Transaction, app_context: AppContext, model: str, number: int, person: Person
) -> dict[str, Any]:
    known = 0 < number < 2**31
    found = tx.registry.versions(model, numbers=(number,)) if known else []
    if not found:
        raise NotFound(
            f"{model} has no version {number or 'of that number'}.",
            hint="The page of the model lists them.",
        )
    kept = found[0]
    run = tx.runs.get(kept.run)
    judged = tx.registry.evaluations(model, (number,)).get(number)
    consumers = tx.consumers.of(model, live_at=app_context.clock.now())
    return {
        "model": model,
        "x": kept,
        "run": run,
        "judged": judged,
        "metrics": {**kept.metrics, **(judged.metrics if judged else {})},
        "moves": tx.facts.of(model, number),
        "came_from": provenance_view(
            document_if_there(app_context.artifacts, _lineage(kept.lineage, run))
        ),
        "aliases": [one.name for one in tx.aliases.of(model) if one.version == number],
        "consumers": [one for one in consumers if one.version == number][:50],
        "tags": tx.notes.tags(model, (number,)).get(number, {}),
        "said": tx.notes.descriptions(model, (number,)).get(number, ""),
        "comments": tx.comments.of(f"version:{model}/{number}"),
        "may_comment": person.why_not("comment", owner_of(tx, model, app_context.parse)),
    }


def _lineage(digest: str | None, run: Run | None) -> object:
    """Where the lineage is: the version's own, else what its run recorded."""
    return digest or (run.result.get("lineage") if run else None)
