"""Writes what a decision says: the record, the registry's moves, the orders and letters, the signals' answers.

All of it happens in the caller's transaction, after the record itself, so that every row can name its decision.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import singledispatch

from controller.domain.canonical import canonical_json
from controller.domain.decisions import (
    Action,
    AdvanceRollout,
    CancelRun,
    Decision,
    DecisionRecord,
    KeepVersion,
    LetGo,
    LiftHold,
    MarkVerified,
    MoveVersion,
    Notify,
    PlaceHold,
    Quarantine,
    RecordApproval,
    RecordEvaluation,
    RecordFigure,
    RecordTest,
    RegisterVersion,
    RemoveArtifact,
    SetAlias,
    SetChampion,
    SetSunset,
    SettleMove,
    StartRun,
    TurnRecipe,
    Verdict,
)
from controller.domain.rollout import RolloutView
from controller.domain.runs import RunKind
from controller.domain.signals import OBSERVATIONS
from controller.domain.snapshot import HoldView, RestView, Snapshot
from controller.ports import DOORBELL, NewDecision, Transaction, doorbell_key
from controller.service.deciding.backpressure import has_room_for_notices
from controller.service.deciding.causes import caused_by, posted_by
from controller.service.deciding.covered import covers_of


def apply_decision(tx: Transaction, snapshot: Snapshot, decision: Decision) -> DecisionRecord:
    """Record the decision and carry out its actions, in their order."""
    comments = tx.comments.uncovered()
    snapshot = replace(snapshot, covers=covers_of(tx, decision, comments))
    record = tx.decisions.record(
        NewDecision(
            model=decision.model,
            decided_at=decision.decided_at,
            rules=snapshot.rules,
            snapshot=canonical_json(snapshot),
            decision=canonical_json(decision),
            actor=actor_of(snapshot, decision),
        )
    )
    posted = _cause(record, decision)
    for index, action in enumerate(decision.actions):
        _apply(action, _Context(tx, decision, record, index, posted))
    tx.signals.answer(decision.answers, record.id)
    if comments:
        tx.comments.cover([comment.id for comment in comments], record.id)
    return record


def _cause(record: DecisionRecord, decision: Decision) -> tuple[str, ...]:
    if decision.verdict is not Verdict.ROLLBACK:
        return ()
    return caused_by(record, json.loads(record.decision))


def actor_of(snapshot: Snapshot, decision: Decision) -> str:
    """The person whose request this decision ends; ``system`` if there is none.

    A figure or an event that somebody posted is no request: what the rules make of it is the system's act.
    """
    ended = {a.signal for a in decision.answers if a.status.ended}
    asked = (s for s in snapshot.signals if s.id in ended and s.kind not in OBSERVATIONS)
    people = {s.actor for s in asked if s.actor.startswith("person:")}
    return ", ".join(sorted(people)) or "system"


class _Context:
    """What carrying out one action needs to know."""

    def __init__(
        self,
        tx: Transaction,
        decision: Decision,
        record: DecisionRecord,
        index: int,
        posted: tuple[str, ...] = (),
    ) -> None:
        self.posted = posted
        self.tx = tx
        self.model = decision.model
        self.at = decision.decided_at
        self.decision = record.id
        self.actor = record.actor
        self.index = index


@singledispatch
def _apply(action: Action, context: _Context) -> None:
    raise TypeError(f"nobody knows how to carry out {type(action).__name__} for {context.model}")


@_apply.register
def _(action: StartRun, context: _Context) -> None:
    context.tx.runs.order(context.model, action, decision=context.decision, at=context.at)
    payload = {"run": action.run, "queue": action.spec.queue}
    context.tx.outbox.put(DOORBELL, doorbell_key(action.run, 0), payload)
    if action.spec.kind is RunKind.TRAIN:
        fired = {cause.trigger: context.at for cause in action.spec.causes}
        state = context.tx.models.state(context.model)
        context.tx.models.update(context.model, last_fired={**state.last_fired, **fired})


@_apply.register
def _(action: CancelRun, context: _Context) -> None:
    context.tx.runs.request_cancel(action.run, action.reason, at=context.at)


@_apply.register
def _(action: RegisterVersion, context: _Context) -> None:
    context.tx.registry.register(context.model, action, decision=context.decision, at=context.at)


@_apply.register
def _(action: RecordEvaluation, context: _Context) -> None:
    context.tx.registry.attach(context.model, action, decision=context.decision)


@_apply.register
def _(action: MoveVersion, context: _Context) -> None:
    context.tx.registry.move(
        context.model, action, decision=context.decision, at=context.at, actor=context.actor
    )
    rollout = context.tx.models.state(context.model).rollout
    if rollout is not None and rollout.version == action.version:
        context.tx.models.update(context.model, rollout=None)  # no challenger any more


@_apply.register
def _(action: SetChampion, context: _Context) -> None:
    context.tx.registry.seat(context.model, action, decision=context.decision, at=context.at)
    if context.tx.models.state(context.model).rollout is not None:
        context.tx.models.update(context.model, rollout=None)  # it led here, or ends here


@_apply.register
def _(action: AdvanceRollout, context: _Context) -> None:
    rollout = RolloutView(
        version=action.version,
        stage=action.stage,
        traffic=action.traffic,
        since=context.at,
        generation=action.generation,
    )
    context.tx.models.update(context.model, rollout=rollout)


@_apply.register
def _(action: MarkVerified, context: _Context) -> None:
    context.tx.registry.mark_verified(
        context.model, action.version, decision=context.decision, at=context.at
    )


@_apply.register
def _(action: PlaceHold, context: _Context) -> None:
    hold = HoldView(reason=action.reason, actor=action.actor, since=context.at)
    context.tx.models.update(context.model, hold=hold)


@_apply.register
def _(action: LiftHold, context: _Context) -> None:
    del action
    context.tx.models.update(context.model, hold=None)


@_apply.register
def _(action: RecordTest, context: _Context) -> None:
    context.tx.models.record_test(context.model, action, decision=context.decision)


@_apply.register
def _(action: RecordApproval, context: _Context) -> None:
    context.tx.models.record_approval(
        context.model, action, decision=context.decision, at=context.at
    )


@_apply.register
def _(action: TurnRecipe, context: _Context) -> None:
    rest = RestView(
        stretches=action.stretches, until=action.until, since_version=action.since_version
    )
    context.tx.models.update(context.model, recipe_index=action.index, rest=rest)


@_apply.register
def _(action: Quarantine, context: _Context) -> None:
    context.tx.data.quarantine(context.model, action.sequence, action.reason)


@_apply.register
def _(action: RecordFigure, context: _Context) -> None:
    context.tx.measures.add(context.model, action, decision=context.decision)


@_apply.register
def _(action: SetAlias, context: _Context) -> None:
    context.tx.aliases.set(
        context.model, action, decision=context.decision, at=context.at, actor=context.actor
    )


@_apply.register
def _(action: SetSunset, context: _Context) -> None:
    context.tx.keeps.sunset(context.model, action, decision=context.decision)


@_apply.register
def _(action: KeepVersion, context: _Context) -> None:
    context.tx.keeps.keep(context.model, action, decision=context.decision, at=context.at)


@_apply.register
def _(action: LetGo, context: _Context) -> None:
    context.tx.keeps.let_go(context.model, action, decision=context.decision, at=context.at)


@_apply.register
def _(action: RemoveArtifact, context: _Context) -> None:
    context.tx.keeps.remove(context.model, action, decision=context.decision, at=context.at)


@_apply.register
def _(action: SettleMove, context: _Context) -> None:
    del (
        action,
        context,
    )  # the publisher reads it in the log and carries it out in the team's registry


@_apply.register
def _(action: Notify, context: _Context) -> None:
    if not has_room_for_notices(context.tx):
        context.tx.counters.add("notices_dropped", len(action.channels))
        return
    for channel in action.channels:
        payload = {
            "channel": channel,
            "event": action.event,
            "model": context.model,
            "sentence": action.sentence + posted_by(context.posted),
            "decision": context.decision,
            "at": context.at,
        }
        context.tx.outbox.put("notify", f"{context.decision}:{context.index}:{channel}", payload)
