"""The pages of policies: what is in force and why a newer one is not, and what another text would have decided."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from controller.domain.errors import IncumbentError, NotFound
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.cli.plan_text import plan_as_text
from controller.entrypoints.web.render import render_page
from controller.entrypoints.web.request import Visitor
from controller.entrypoints.web.session import PageSession, check_form
from controller.ports import Query, RuleQuery
from controller.service.commands.access import Person
from controller.service.commands.submit import owner_of
from controller.service.explain.decision import decision_summary
from controller.service.explain.provenance import provenance
from controller.service.replay.plan import PlanReport
from controller.service.replay.policy_revisions import (
    Changes,
    changes_at,
    plan_revision,
    plan_text,
    revisions,
)

router = APIRouter(include_in_schema=False)
_PAGE = 100
_CHANGED = 100
"""Changed policies of a revision that are listed."""

PolicyName = Annotated[str, Form(max_length=200)]


@router.get("/policies")
def policies_page(request: Request, app_context: Context, session: Visitor) -> Response:
    """The policies in force, and why a newer one is not."""
    return _list_page(request, app_context, session)


@router.post("/policies")
def look_at(
    request: Request,
    app_context: Context,
    session: Visitor,
    revision: PolicyName = "",
    mark: Annotated[str, Form()] = "",
) -> Response:
    """Which policies a revision of the repository changes. Nothing is changed or put in force."""
    check_form(request, session, mark)
    if _may_look(session.person):
        session.person.must("plan", None)
    changes: Changes | None = None
    problems: list[str] = []
    try:
        there = app_context.look_at(revision)
        with app_context.store.read() as tx:
            changes = changes_at(tx, app_context.parse, there)
    except IncumbentError as error:
        problems = _problems(error)
    return _list_page(request, app_context, session, revision, changes, problems)


def _list_page(
    request: Request,
    app_context: AppContext,
    session: PageSession,
    revision: str = "",
    changes: Changes | None = None,
    problems: list[str] | None = None,
) -> Response:
    asked = request.query_params
    query = RuleQuery(
        name=(asked.get("q") or "").strip(),
        refused=bool(asked.get("refused")),
        after=asked.get("after") or "",
        limit=_PAGE,
    )
    with app_context.store.read() as tx:
        rows = tx.rules.find(query)
        reviews = tx.reviews.latest(limit=20)
    more = {**asked, "after": rows[-1].model} if len(rows) == _PAGE else {}
    return render_page(
        request,
        "policies.html",
        rows=rows,
        asked=asked,
        more="?" + urlencode(more) if more else "",
        reviews=reviews,
        revision=revision,
        changes=changes,
        listed=changes.models[:_CHANGED] if changes else (),
        problems=problems or [],
        may_look=_may_look(session.person),
    )


def _may_look(person: Person) -> str:
    """Why not, in one sentence; empty for whoever reviews models of anybody."""
    whys = [person.why_not("plan", owner) for owner in person.roles]
    return "" if "" in whys else person.why_not("plan", None)


@router.get("/policies/{model}")
def policy_page(request: Request, app_context: Context, session: Visitor, model: str) -> Response:
    """One policy: its text, its revisions and their reviews."""
    return _policy_page(request, app_context, session, model)


@router.post("/policies/{model}")
def plan_page(
    request: Request,
    app_context: Context,
    session: Visitor,
    model: str,
    text: Annotated[str | None, Form()] = None,
    revision: PolicyName = "",
    mark: Annotated[str, Form()] = "",
) -> Response:
    """What another text, or that of a revision, would have decided. Nothing is changed and nothing is kept."""
    check_form(request, session, mark)
    planned, problems = "", []
    try:
        planned = plan_as_text(_plan(app_context, session.person, model, text, revision))
    except IncumbentError as error:
        problems = _problems(error)
    return _policy_page(
        request,
        app_context,
        session,
        model,
        text=text,
        revision=revision,
        planned=planned,
        problems=problems,
    )


def _plan(
    app_context: AppContext, person: Person, model: str, text: str | None, revision: str
) -> PlanReport:
    if text is not None:
        with app_context.store.read() as tx:
            return plan_text(tx, app_context.parse, app_context.blob_id, model, text)
    with app_context.store.read() as tx:
        person.must("plan", owner_of(tx, model, app_context.parse))
    there = app_context.look_at(revision)
    with app_context.store.read() as tx:
        return plan_revision(tx, app_context.parse, model, there)


def _policy_page(
    request: Request, app_context: AppContext, session: PageSession, model: str, **shown: Any
) -> Response:
    with app_context.store.read() as tx:
        rules = tx.rules.active(model)
        if rules is None:
            raise NotFound(f"No policy is in force for {model}.")
        owner = owner_of(tx, model, app_context.parse)
        view: dict[str, Any] = {
            "rules": rules,
            "review": provenance(tx, rules.ref),
            "evidence": tx.reviews.get(rules.ref.review) if rules.ref.review else None,
            "revisions": revisions(tx, model),
            "last": [decision_summary(r) for r in tx.decisions.find(Query(model=model, limit=5))],
            "may_look": session.person.why_not("plan", owner),
        }
    empty: dict[str, Any] = {"text": None, "revision": "", "planned": "", "problems": []}
    return render_page(request, "policy.html", **(view | empty | shown))


def _problems(error: IncumbentError) -> list[str]:
    """Each problem of a text with its place; one sentence where there is only that."""
    found = error.details.get("problems")
    if not isinstance(found, list) or not found:
        return [error.sentence()]
    return [
        "{path}:{line}:{col}: {message}".format(**one) + (f"; {one['hint']}" if one["hint"] else "")
        for one in found
    ]
