"""The writing side of the API. Every write is a signal under its idempotency key, or a comment."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Request
from starlette.responses import JSONResponse

from controller.adapters.mlflow.webhook import read_webhook
from controller.adapters.sources.events import (
    TOLERANCE,
    CloudEvent,
    Proof,
    check_times,
    parse_bucket_events,
    parse_cloud_events,
    verify_signature,
)
from controller.domain.canonical import to_plain
from controller.domain.errors import Forbidden, NotFound, UserError
from controller.domain.signals import NewSignal, Signal, SignalKind
from controller.domain.tracing import read_header
from controller.entrypoints.api import shapes
from controller.entrypoints.api.caller import Caller, caller
from controller.entrypoints.api.context import AppContext, Context
from controller.entrypoints.api.problems import WRITE_ERRORS
from controller.entrypoints.api.read import json_response
from controller.policy.triggers import TRIGGERS
from controller.ports import Transaction
from controller.service.commands.access import Person
from controller.service.commands.comments import add_comment, as_html, subject_model
from controller.service.commands.delegate import Wish, add_delegation, take_back
from controller.service.commands.submit import Command, owner_of
from controller.service.deciding.backpressure import accept
from controller.service.explain.tracing import Arrival
from controller.service.replay.policy_revisions import plan_revision, plan_text
from controller.service.replay.rehearse import rehearse
from controller.service.sources.bucket_hints import hint_addresses

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", responses=WRITE_ERRORS)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="The same key of one person, model and kind counts once; with other content it is a conflict.",
        examples=["3f0c6b1e-ticket-12"],
    ),
]
_SECOND = timedelta(seconds=1)
"""MLflow's timestamps are whole seconds: what happened in the second of the last look may have been missed by it."""
_OPEN_KINDS = frozenset(
    {
        SignalKind.MANUAL,
        SignalKind.METRIC,
        *(kind.signal for kind in TRIGGERS.values() if kind.is_sendable),
    }
)
"""Kinds that a program may send. A person's words have routes of their own, which check who may."""


@router.post(
    "/signals",
    status_code=202,
    response_model=shapes.AcceptedOut,
    responses={200: {"model": shapes.AcceptedOut, "description": "It was there before."}},
    summary="Something happened",
)
def send_signal(
    request: Request,
    app_context: Context,
    person: Caller,
    body: shapes.SignalIn,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Put a signal into the inbox. 202: it is kept and will be answered; 200: it was there before."""
    return JSONResponse(*_accepted(request, app_context, person, [(body, body.key or key)])[0])


@router.post(
    "/signals/batch",
    status_code=202,
    response_model=list[shapes.AcceptedOut],
    summary="Several at once",
)
def send_signals(
    request: Request,
    app_context: Context,
    person: Caller,
    body: Annotated[list[shapes.SignalIn], Body(min_length=1, max_length=500)],
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Up to 500 signals in one transaction: all are kept, or none."""
    keyed = [
        (one, one.key or (f"{key}:{place}" if key else None)) for place, one in enumerate(body)
    ]
    return JSONResponse(
        [answer for answer, _ in _accepted(request, app_context, person, keyed)], 202
    )


@router.post(
    "/signals/rehearsal", response_model=dict[str, Any], summary="What a signal would lead to"
)
def rehearse_signal(
    request: Request, app_context: Context, person: Caller, body: shapes.SignalIn
) -> Any:
    """The decision that would be taken if the signal were there. Nothing is changed."""
    now = app_context.clock.now()
    with app_context.store.read() as tx:
        person.must("signal", owner_of(tx, body.model, app_context.parse))
    signal = NewSignal(
        key=f"rehearsal:{uuid.uuid4()}",
        model=body.model,
        kind=_kind(body.kind),
        occurred_at=now,
        payload=body.payload,
        actor=person.actor,
    )
    return json_response(
        request, rehearse(app_context.store, app_context.parse, body.model, [signal], now)
    )


def _accepted(
    request: Request,
    app_context: AppContext,
    person: Person,
    sent: list[tuple[shapes.SignalIn, str | None]],
) -> list[tuple[dict[str, Any], int]]:
    now = app_context.clock.now()
    with app_context.store.begin() as tx:
        new = []
        for body, key in sent:
            person.must("signal", owner_of(tx, body.model, app_context.parse))
            kind = _kind(body.kind)
            occurred = body.occurred_at or now
            if occurred.tzinfo is None:
                raise UserError("occurred_at needs a time zone, such as Z.")
            new.append(
                NewSignal(
                    key=f"{person.actor}:{key or uuid.uuid4()}",
                    model=body.model,
                    kind=kind,
                    occurred_at=occurred,
                    payload=body.payload,
                    trigger=body.trigger,
                    actor=person.actor,
                )
            )
        accepted = accept(tx, new, now, limit=app_context.settings.inbox)
        receipts = [_receipt(tx, one.id, fresh=one.fresh) for one in accepted]
    for one in accepted:
        if one.fresh:
            tell_accepted(request, app_context, one.id, now)
    return receipts


def tell_accepted(request: Request, app_context: AppContext, number: int, began: datetime) -> None:
    """Tell the log and the trace of signal ``number`` how it came in; the sender's own trace is linked."""
    log.info(
        "signal %d was accepted",
        number,
        extra={"action": "signal_accepted", "signal": number, "client": _address(request)},
    )
    if app_context.tracing is not None:
        how = Arrival(
            name=f"{request.method} {request.url.path}",
            start=began,
            end=max(began, app_context.clock.now()),
            sender=read_header(request.headers.get("traceparent")),
        )
        app_context.tracing.accepted(number, how)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _kind(word: str) -> SignalKind:
    if word not in {kind.value for kind in _OPEN_KINDS}:
        words = ", ".join(sorted(kind.value for kind in _OPEN_KINDS))
        raise UserError(
            f"A signal of kind {word[:40]!r} cannot be sent.", hint=f"There are {words}."
        )
    return SignalKind(word)


def _receipt(tx: Transaction, number: int, *, fresh: bool) -> tuple[dict[str, Any], int]:
    signal = tx.signals.get(number)
    if signal is None:
        raise NotFound(f"There is no signal {number}.")
    return accepted_body(signal, fresh=fresh), 202 if fresh else 200


def accepted_body(signal: Signal, *, fresh: bool) -> dict[str, Any]:
    """What became of a signal, as the answer to who sent it."""
    return {
        "signal": signal.id,
        "fresh": fresh,
        "status": signal.status.value,
        "reason": signal.reason,
        "decision": signal.decision,
    }


_ANY_EVENT = {"type": "object", "required": ["id", "source", "type", "specversion"]}
_SIGNED = ("webhook-signature", "x-hub-signature-256")


async def _raw(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/events",
    status_code=202,
    response_model=list[shapes.AcceptedOut],
    responses={
        200: {
            "model": list[shapes.AcceptedOut],
            "description": "A signed delivery that was taken before.",
        }
    },
    summary="CloudEvents",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _ANY_EVENT},
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "items": _ANY_EVENT}
                },
            },
        }
    },
)
def send_events(
    request: Request, app_context: Context, body: Annotated[bytes, Depends(_raw)]
) -> JSONResponse:
    """CloudEvents 1.0: structured, binary or batched. By token, or signed with the server's webhook secret (not binary:
    nobody signs headers). 200: a signed delivery that was taken before; nothing came of it.

    An event's source and id make its key for one model: sent again, it is the same signal. Its model is the
    extension `model`, else the subject.
    """
    now = app_context.clock.now()
    proof = _proof(request, app_context, body, now)
    person = None if proof else caller(request)
    events = parse_cloud_events(request.headers, body, signed=proof is not None)
    _check_times(proof, [event.time for event in events], now)
    with app_context.store.begin() as tx:
        status = 202 if _is_new(tx, proof, now) else 200
        new = []
        for event in events:
            signal = _of_event(event, person, now)
            owner = owner_of(tx, signal.model, app_context.parse)
            if person is not None:
                person.must("signal", owner)
            new.append(signal)
        accepted = accept(tx, new, now, limit=app_context.settings.inbox)
        answers = [_receipt(tx, one.id, fresh=one.fresh)[0] for one in accepted]
    for one in accepted:
        if one.fresh:
            tell_accepted(request, app_context, one.id, now)
    return JSONResponse(answers, status)


def _proof(request: Request, app_context: AppContext, body: bytes, now: datetime) -> Proof | None:
    """What proves the sender of a signed delivery; None where it shows a token instead. BadSignature if forged."""
    secret = app_context.settings.webhook_secret
    if secret is None or not any(name in request.headers for name in _SIGNED):
        return None
    return verify_signature(request.headers, body, [secret.get_secret_value()], now)


def _check_times(proof: Proof | None, times: list[datetime | None], now: datetime) -> None:
    if proof is not None and proof.signed_at is None:
        check_times(times, now)


def _is_new(tx: Transaction, proof: Proof | None, now: datetime) -> bool:
    """Whether this signed delivery was never taken before, by whichever process. Those with a token are new."""
    return proof is None or _use(tx, proof.name, now)


def _use(tx: Transaction, delivery: str, now: datetime) -> bool:
    """Keep that the delivery was taken for as long as its time is taken: the window has two ends."""
    return tx.nonces.use("delivery", delivery, until=now + 2 * TOLERANCE, at=now)


@router.post(
    "/events/bucket",
    status_code=202,
    response_model=shapes.HintedOut,
    responses={
        200: {"model": shapes.HintedOut, "description": "A signed delivery that was taken before."}
    },
    summary="A bucket's notification",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
def send_bucket_event(
    request: Request, app_context: Context, body: Annotated[bytes, Depends(_raw)]
) -> Any:
    """An S3 notification, bare, in an SNS envelope, or of EventBridge. By token, or signed as events are.

    It is a hint and no more: the sources that may mean its objects are looked at now, and their listing is the truth.
    """
    now = app_context.clock.now()
    proof = _proof(request, app_context, body, now)
    if proof is None:
        caller(request).must("signal", None)
    events = parse_bucket_events(body)
    _check_times(proof, [event.at for event in events], now)
    written = [event.address for event in events if event.created]
    with app_context.store.begin() as tx:
        fresh = _is_new(tx, proof, now)
        models = hint_addresses(tx, written, app_context.parse, now) if fresh else ()
    hinted = {"objects": len(written), "models": list(models)}
    return JSONResponse(hinted, 202 if fresh else 200)


@router.post(
    "/events/mlflow",
    status_code=202,
    response_model=shapes.LookedOut,
    responses={
        200: {"model": shapes.LookedOut, "description": "A signed delivery that was taken before."}
    },
    summary="A webhook of the team's MLflow server",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
def send_registry_event(
    request: Request, app_context: Context, body: Annotated[bytes, Depends(_raw)]
) -> JSONResponse:
    """Signed by MLflow with the secret `registry_webhook_secret`; no token is asked for, and none helps.

    It is a hint and no more: the alias of the model is looked at now instead of a little later. What was signed before
    the last look brings nothing, so a delivery that is sent again changes nothing.
    """
    now, secret = app_context.clock.now(), app_context.settings.registry_webhook_secret
    known = None if secret is None else secret.get_secret_value()
    hint = read_webhook(request.headers, body, known, now)
    looked, fresh = False, True
    if hint is not None:
        with app_context.store.begin() as tx:
            fresh = _use(tx, hint.delivery, now)
            if fresh:
                looked = tx.publications.hint(hint.model, now, hint.signed_at + _SECOND)
    return JSONResponse({"looks": looked}, 202 if fresh else 200)


def _of_event(event: CloudEvent, person: Person | None, now: datetime) -> NewSignal:
    model = event.extensions.get("model") or event.subject
    if not isinstance(model, str) or not model:
        raise UserError(
            f"Event {event.id[:40]!r} names no model.",
            hint="Put it into the attribute subject or model.",
        )
    said = {"type": event.type, "source": event.source, "id": event.id, "subject": event.subject}
    data = event.data.hex() if isinstance(event.data, bytes) else event.data
    return NewSignal(
        key=event.key,
        model=model,
        kind=SignalKind.WEBHOOK,
        occurred_at=event.time or now,
        payload={**said, "data": data},
        actor=person.actor if person else f"webhook:{event.source}",
    )


ModelInPath = Annotated[str, Path(max_length=200)]


def _word(app_context: AppContext, person: Person, word: Command) -> JSONResponse:
    signal, fresh = app_context.submit(person, word)
    return JSONResponse(accepted_body(signal, fresh=fresh), 202 if signal.decision is None else 200)


ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.AcceptedOut, "description": "Answered: `status` and `reason` say how."},
    202: {
        "model": shapes.AcceptedOut,
        "description": "Kept; the controller answers it in its next tick.",
    },
}
"""The good answers to a word."""


def _spoken(right: str, summary: str, description: str) -> None:
    @router.post(
        f"/models/{{model}}/{right}",
        name=right,
        operation_id=right,
        responses=ANSWERED,
        response_model=shapes.AcceptedOut,
        summary=summary,
        description=description,
    )
    def spoken(
        app_context: Context,
        person: Caller,
        model: ModelInPath,
        body: shapes.WordIn,
        key: IdempotencyKey = None,
    ) -> JSONResponse:
        return _word(
            app_context,
            person,
            Command(
                action=right,
                model=model,
                reason=body.reason,
                version=body.version,
                evidence=body.evidence,
                expect_version=body.expect_version,
                force=body.force,
                key=key,
            ),
        )


_spoken(
    "approve",
    "Approve a challenger",
    "Counts for the evidence whose digest is named, and for no other.",
)
_spoken(
    "withdraw",
    "Take one's approval back",
    "While the challenger waits; it does not count any more.",
)
_spoken("reject", "Reject a challenger", "It cannot be promoted any more.")
_spoken("promote", "Promote a version by hand", "Whatever its gates said. Recorded with the name.")
_spoken(
    "rollback",
    "Take the champion back",
    "`version` becomes champion again, or the version that the policy names.",
)
_spoken("hold", "Put automatic promotion on hold", "Until a person releases it.")
_spoken("release", "End a hold", "Automatic promotion goes on.")
_spoken("train", "Ask for a training", "The policy's limits hold.")


@router.post(
    "/models/{model}/batches/{batch}/release",
    responses=ANSWERED,
    response_model=shapes.AcceptedOut,
    summary="Let a batch out of quarantine",
)
def release_batch(
    app_context: Context,
    person: Caller,
    model: ModelInPath,
    batch: Annotated[int, Path(ge=1, le=2**53)],
    body: shapes.ReasonIn,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """From then on it is data like any other, and counts as new."""
    word = Command(
        action="release_batch", model=model, reason=body.reason, payload={"batch": batch}, key=key
    )
    return _word(app_context, person, word)


def _of_run(right: str, summary: str) -> None:
    @router.post(
        f"/runs/{{run}}/{right}",
        name=f"{right}_run",
        operation_id=f"{right}_run",
        responses=ANSWERED,
        response_model=shapes.AcceptedOut,
        summary=summary,
    )
    def spoken(
        app_context: Context,
        person: Caller,
        run: ModelInPath,
        body: shapes.ReasonIn,
        key: IdempotencyKey = None,
    ) -> JSONResponse:
        with app_context.store.read() as tx:
            found = tx.runs.get(run)
        if found is None:
            raise NotFound(f"There is no run called {run}.")
        word = Command(action=right, model=found.model, run=run, reason=body.reason, key=key)
        return _word(app_context, person, word)


_of_run("cancel", "Cancel a run")
_of_run("retry", "Train again, as this run did")


@router.post("/policies/{model}/plan", summary="What another text would have decided")
def plan_policy(
    request: Request, app_context: Context, person: Caller, model: ModelInPath, body: shapes.PlanIn
) -> Any:
    """Over the model's last 1,000 decisions, against the policy in force. Nothing is changed or kept.

    Give `text`, or `revision` (a reviewer's): that is read from the repository of the server's settings.
    """
    if (body.text is None) == (body.revision is None):
        raise UserError("Give text or revision, one of them.")
    if body.revision is not None:
        with app_context.store.read() as tx:
            person.must("plan", owner_of(tx, model, app_context.parse))
        there = app_context.look_at(body.revision)
        with app_context.store.read() as tx:
            return json_response(request, plan_revision(tx, app_context.parse, model, there))
    with app_context.store.read() as tx:
        found = plan_text(tx, app_context.parse, app_context.blob_id, model, body.text or "")
    return json_response(request, found)


@router.get(
    "/delegations",
    response_model=list[shapes.DelegationOut],
    summary="Who approves in whose place",
)
def list_delegations(request: Request, app_context: Context, person: Caller) -> Any:
    """The newest first, also those that ended."""
    with app_context.store.read() as tx:
        found = tx.delegations.all()
    return json_response(request, [to_plain(one) for one in found])


@router.post(
    "/delegations",
    status_code=201,
    response_model=shapes.DelegationOut,
    summary="Let somebody approve in your place",
)
def delegate_to(
    app_context: Context, person: Caller, body: shapes.DelegationIn, key: IdempotencyKey = None
) -> JSONResponse:
    """Gives groups, never a role: who stands in must be a reviewer, and one person never counts twice."""
    with app_context.store.begin() as tx:
        if body.until.tzinfo is None:
            raise UserError("until needs a time zone, such as Z.")
        wish = Wish(to=body.to, until=body.until, reason=body.reason, key=key)
        kept = add_delegation(tx, person, wish, app_context.clock.now())
    return JSONResponse(to_plain(kept), 201)


@router.delete(
    "/delegations/{number}",
    response_model=shapes.DelegationOut,
    summary="Take a delegation back",
)
def undelegate(
    app_context: Context, person: Caller, number: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> JSONResponse:
    """Ends it at once; one's own, or anybody's for an admin."""
    with app_context.store.begin() as tx:
        return JSONResponse(to_plain(take_back(tx, person, number, app_context.clock.now())))


@router.get(
    "/comments/{subject:path}", response_model=list[shapes.CommentOut], summary="What people say"
)
def list_comments(
    request: Request, app_context: Context, person: Caller, subject: ModelInPath
) -> Any:
    """Comments on `decision:5`, `run:ID` or `version:MODEL/3`, oldest first."""
    with app_context.store.read() as tx:
        subject_model(tx, subject)
        found = tx.comments.of(subject)
    return json_response(request, [{**to_plain(one), "html": as_html(one.text)} for one in found])


@router.post(
    "/comments/{subject:path}",
    status_code=201,
    response_model=shapes.CommentOut,
    summary="Say something",
)
def post_comment(
    app_context: Context,
    person: Caller,
    subject: ModelInPath,
    body: shapes.CommentIn,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Markdown; nothing is decided by it."""
    with app_context.store.begin() as tx:
        person.must("comment", owner_of(tx, subject_model(tx, subject), app_context.parse))
        kept = add_comment(tx, subject, person.actor, body.text, app_context.clock.now(), key)
    if kept.subject != subject:
        raise Forbidden("This idempotency key was used for another comment.")
    return JSONResponse({**to_plain(kept), "html": as_html(kept.text)}, 201)
