"""The reading side of the API: lists with cursors and filters, single things with an ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller.domain.canonical import to_plain
from controller.domain.decisions import Verdict
from controller.domain.errors import NotFound
from controller.domain.runs import Run, RunKind, RunState
from controller.domain.signals import SignalKind, SignalStatus
from controller.domain.versions import Version, VersionState
from controller.entrypoints.api import shapes
from controller.entrypoints.api.caller import Caller
from controller.entrypoints.api.context import Context
from controller.entrypoints.api.problems import READ_ERRORS
from controller.policy.triggers import WATCHED_SIGNALS
from controller.ports import Query as Wanted
from controller.service.explain.decision import (
    as_document,
    decision_summary,
    explain_decision,
    find_decision,
)
from controller.service.explain.drift_report import drift_view
from controller.service.explain.overview import inbox, model_at_a_glance, model_names
from controller.service.replay.policy_revisions import revisions

router = APIRouter(prefix="/v1", responses=READ_ERRORS)

Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
Before = Annotated[
    int | None,
    Query(ge=1, le=2**63 - 1, description="The cursor that the part before named as `next`."),
]
SinceQuery = Annotated[datetime | None, Query(description="Only from this time on.")]
Until = Annotated[datetime | None, Query(description="Only before this time.")]
ModelQuery = Annotated[
    str | None, Query(alias="model", max_length=200, description="Only of this model.")
]


def json_response(request: Request, body: Any, tag: str | None = None) -> Response:
    """The body as JSON with an ETag; 304 where the caller has it already."""
    text = json.dumps(to_plain(body), ensure_ascii=False, allow_nan=False).encode()
    etag = f'"{tag or hashlib.sha256(text).hexdigest()[:32]}"'
    known = {
        part.strip().removeprefix("W/")
        for part in request.headers.get("if-none-match", "").split(",")
    }
    if etag in known or "*" in known:
        return Response(status_code=304, headers={"etag": etag})
    return Response(text, media_type="application/json", headers={"etag": etag})


def utc(moment: datetime | None) -> datetime | None:
    """A time that names no zone is one of UTC."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _page(rows: list[dict[str, Any]], limit: int, key: str = "id") -> dict[str, Any]:
    return {"items": rows, "next": rows[-1][key] if len(rows) == limit else None}


@router.get("/signals", response_model=shapes.Page[shapes.SignalOut], summary="What happened")
def list_signals(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelQuery = None,
    status: Annotated[list[SignalStatus] | None, Query()] = None,
    kind: Annotated[list[SignalKind] | None, Query()] = None,
    since: SinceQuery = None,
    until: Until = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Signals with their answers, newest first."""
    wanted = Wanted(
        model=model,
        states=tuple(s.value for s in status or ()),
        kinds=tuple(k.value for k in kind or ()),
        since=utc(since),
        until=utc(until),
        before=before,
        limit=limit,
    )
    with app_context.store.read() as tx:
        rows = [to_plain(signal) for signal in tx.signals.find(wanted)]
    return json_response(request, _page(rows, limit))


@router.get("/signals/{number}", response_model=shapes.SignalOut, summary="One signal")
def get_signal(request: Request, app_context: Context, person: Caller, number: int) -> Response:
    """A signal with its answer."""
    with app_context.store.read() as tx:
        found = tx.signals.get(number) if 0 < number < 2**63 else None
    if found is None:
        raise NotFound(f"There is no signal {number}.")
    return json_response(request, found)


@router.get(
    "/decisions", response_model=shapes.Page[shapes.DecisionOut], summary="What was decided"
)
def list_decisions(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelQuery = None,
    verdict: Annotated[list[Verdict] | None, Query()] = None,
    since: SinceQuery = None,
    until: Until = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Decisions, newest first, each with its one-line reason."""
    wanted = Wanted(
        model=model,
        kinds=tuple(v.value for v in verdict or ()),
        since=utc(since),
        until=utc(until),
        before=before,
        limit=limit,
    )
    with app_context.store.read() as tx:
        rows = [decision_summary(record) for record in tx.decisions.find(wanted)]
    return json_response(request, _page(rows, limit))


@router.get(
    "/decisions/{number}", response_model=shapes.ExplanationOut, summary="One decision, explained"
)
def get_decision(request: Request, app_context: Context, person: Caller, number: int) -> Response:
    """What happened, why, each compared value. Its ETag is its hash: a decision never changes."""
    with app_context.store.read() as tx:
        record = find_decision(tx, str(number)) if 0 < number < 2**63 else None
        if record is None:
            raise NotFound(f"There is no decision {number}.")
        body = as_document(explain_decision(tx, record))
    return json_response(request, body, record.hash)


@router.get("/decisions/{number}/verification", summary="Derive it again")
def verification(
    request: Request, app_context: Context, person: Caller, number: int
) -> dict[str, Any]:
    """Derive the decision again from its stored snapshot and rules, byte for byte."""
    from controller.service.replay.verify import Verifier

    with app_context.store.read() as tx:
        if not 0 < number < 2**63:
            raise NotFound(f"There is no decision {number}.")
        found = Verifier(tx, app_context.parse, app_context.blob_id).one(number)
    body: dict[str, Any] = to_plain(found)
    return {"whole": found.whole, **body}


@router.get("/runs", response_model=shapes.Page[shapes.RunOut], summary="Trainings and evaluations")
def list_runs(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelQuery = None,
    state: Annotated[list[RunState] | None, Query()] = None,
    kind: Annotated[list[RunKind] | None, Query()] = None,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="A run's number; needs `model`.")
    ] = None,
    limit: Limit = 100,
) -> Response:
    """Runs, newest first. A cursor is a run's number and needs a model."""
    wanted = Wanted(
        model=model,
        states=tuple(s.value for s in state or ()),
        kinds=tuple(k.value for k in kind or ()),
        before=before if model else None,
        limit=limit,
    )
    with app_context.store.read() as tx:
        rows = [run_document(run) for run in tx.runs.find(wanted)]
    body = _page(rows, limit, "number")
    return json_response(request, body if model else {**body, "next": None})


@router.get("/runs/{run}", response_model=shapes.RunOut, summary="One run")
def run_(request: Request, app_context: Context, person: Caller, run: str) -> Response:
    """A run with its order, its state and its result."""
    with app_context.store.read() as tx:
        found = tx.runs.get(run)
    if found is None:
        raise NotFound(f"There is no run called {run}.")
    return json_response(request, run_document(found))


def run_document(run: Run) -> dict[str, Any]:
    """A run as JSON."""
    found: dict[str, Any] = to_plain(run)
    return {**found, "kind": run.spec.kind.value}


@router.get("/runs/{run}/logs", response_model=list[shapes.LogLine], summary="What a run says")
def get_logs(
    request: Request,
    app_context: Context,
    person: Caller,
    run: str,
    after: Annotated[
        int, Query(ge=0, le=2**63 - 1, description="Only lines with a higher id.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Response:
    """Lines of output, phases and metrics by step, oldest first."""
    with app_context.store.read() as tx:
        if tx.runs.get(run) is None:
            raise NotFound(f"There is no run called {run}.")
        lines = tx.journal.read(run, after=after, limit=limit)
    return json_response(request, [{"id": line.id, **to_plain(line.entry)} for line in lines])


@router.get("/models", summary="Every model")
def list_models(request: Request, app_context: Context, person: Caller) -> list[dict[str, Any]]:
    """Each model's champion and whether it is on hold."""
    with app_context.store.read() as tx:
        states = {state.model: state for state in tx.models.all()}
        names = model_names(tx)
    found = [(name, states.get(name)) for name in names]
    return [
        {
            "model": name,
            "champion": state.champion if state else None,
            "generation": state.generation if state else 0,
            "hold": to_plain(state.hold) if state else None,
            "error": state.error if state else None,
        }
        for name, state in found
    ]


@router.get("/models/{model}", summary="One model")
def model_(request: Request, app_context: Context, person: Caller, model: str) -> Response:
    """Champion, challengers, running work, waiting signals, the last decisions and what is wrong."""
    with app_context.store.read() as tx:
        _known(tx, model)
        body = model_at_a_glance(tx, model)
    return json_response(request, body)


@router.get(
    "/models/{model}/versions", response_model=list[shapes.VersionOut], summary="A model's versions"
)
def list_versions(
    request: Request,
    app_context: Context,
    person: Caller,
    model: str,
    state: Annotated[list[VersionState] | None, Query()] = None,
    limit: Limit = 100,
) -> Response:
    """Versions, newest first."""
    with app_context.store.read() as tx:
        _known(tx, model)
        found = tx.registry.versions(model, states=set(state) if state else None, limit=limit)
        judged = tx.registry.evaluations(model, [v.number for v in found])
    rows = [
        version_document(v, judged[v.number].metrics if v.number in judged else {}) for v in found
    ]
    return json_response(request, rows)


def version_document(version: Version, metrics: Mapping[str, float]) -> dict[str, Any]:
    """A version as JSON; metrics of the newest holdout over those of its training."""
    found: dict[str, Any] = to_plain(version)
    return {**found, "version": version.number, "metrics": {**version.metrics, **metrics}}


@router.get("/models/{model}/history", summary="The champions so far")
def list_reigns(
    request: Request, app_context: Context, person: Caller, model: str, limit: Limit = 100
) -> list[dict[str, Any]]:
    """Newest first."""
    with app_context.store.read() as tx:
        _known(tx, model)
        found: list[dict[str, Any]] = to_plain(tx.registry.history(model, limit))
    return found


@router.get("/inbox", summary="What waits for a person")
def waiting(request: Request, app_context: Context, person: Caller) -> list[dict[str, Any]]:
    """Challengers that wait, longest first, each with its expiry and what happens then."""
    with app_context.store.read() as tx:
        found: list[dict[str, Any]] = to_plain(inbox(tx, app_context.parse))
    return found


@router.get("/policies", response_model=list[shapes.PolicyOut], summary="The policies in force")
def list_policies(request: Request, app_context: Context, person: Caller) -> Response:
    """Each with its revision, its review, and why a newer one is not in force."""
    with app_context.store.read() as tx:
        rows = [policy_document(rules) for rules in tx.rules.all_active()]
    return json_response(request, rows)


def policy_document(rules: Any) -> dict[str, Any]:
    """An active policy as JSON."""
    found: dict[str, Any] = to_plain(rules)
    return {**found, **found.pop("ref")}


@router.get(
    "/policies/{model}", response_model=shapes.PolicyOut, summary="The policy in force for a model"
)
def get_policy(request: Request, app_context: Context, person: Caller, model: str) -> Response:
    """Its text, revision and review."""
    with app_context.store.read() as tx:
        rules = tx.rules.active(model)
    if rules is None:
        raise NotFound(f"No policy is in force for {model}.")
    return json_response(request, policy_document(rules), rules.ref.blob)


@router.get("/policies/{model}/revisions", summary="The texts that decided")
def policy_revisions(
    request: Request, app_context: Context, person: Caller, model: str
) -> Response:
    """Of the last 1,000 decisions of the model, newest first, each with its review and the decisions that it took."""
    with app_context.store.read() as tx:
        if tx.rules.active(model) is None:
            raise NotFound(f"No policy is in force for {model}.")
        found = revisions(tx, model)
    return json_response(request, found)


@router.get("/reviews", summary="Reviews that were looked at")
def list_reviews(
    request: Request, app_context: Context, person: Caller, limit: Limit = 100
) -> Response:
    """Revisions of the rules, newest first: proven or refused, and why."""
    with app_context.store.read() as tx:
        found = tx.reviews.latest(limit=limit)
    return json_response(
        request, [{k: v for k, v in to_plain(r).items() if k != "evidence"} for r in found]
    )


@router.get("/models/{model}/metrics", summary="A model's metrics over time")
def metrics_(
    request: Request, app_context: Context, person: Caller, model: str, limit: Limit = 100
) -> Response:
    """Of each version, newest first: what its last evaluation, else its training, reported, and when it sat."""
    with app_context.store.read() as tx:
        _known(tx, model)
        found = tx.registry.versions(model, limit=limit)
        judged = tx.registry.evaluations(model, [v.number for v in found])
        reigns = {reign.version: reign for reign in tx.registry.history(model, 1000)}
    rows = [
        {
            "version": v.number,
            "state": v.state.value,
            "created_at": v.created_at,
            "metrics": {**v.metrics, **(judged[v.number].metrics if v.number in judged else {})},
            "seated_at": reigns[v.number].since if v.number in reigns else None,
            "left_at": reigns[v.number].until if v.number in reigns else None,
        }
        for v in found
    ]
    return json_response(request, rows)


@router.get("/reviews/{digest}", summary="The evidence of a review")
def get_review(request: Request, app_context: Context, person: Caller, digest: str) -> Response:
    """What was found about one revision of the rules."""
    with app_context.store.read() as tx:
        found = tx.reviews.get(digest)
    if found is None:
        raise NotFound("There is no review evidence with that digest.")
    return json_response(request, found, found.digest)


@router.get("/drift", response_model=shapes.Page[shapes.SignalOut], summary="Drift, decay and skew")
def list_drift(
    request: Request,
    app_context: Context,
    person: Caller,
    model: ModelQuery = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """What was measured about data and labels, newest first."""
    wanted = Wanted(model=model, kinds=WATCHED_SIGNALS, before=before, limit=limit)
    with app_context.store.read() as tx:
        rows = [to_plain(found) for found in tx.signals.find(wanted)]
    return json_response(request, _page(rows, limit))


@router.get(
    "/models/{model}/drift", summary="How a model's data moved, and how its champion does since"
)
def model_drift(request: Request, app_context: Context, person: Caller, model: str) -> Response:
    """Columns with their effects, history and bins that moved; skew, decay and quarantine, as the workers found."""
    with app_context.store.read() as tx:
        _known(tx, model)
        view = drift_view(tx, app_context.artifacts, model)
    return json_response(request, view)


def _known(tx: Any, model: str) -> None:
    """NotFound unless something is known of the model."""
    if tx.rules.active(model) is None and tx.models.state(model).next_run == 1:
        raise NotFound(f"There is no model called {model}.")
