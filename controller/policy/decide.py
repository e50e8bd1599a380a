"""The one decision function. Backtest, plan, verify and the running engine all call this and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from controller.domain.decisions import (
    Action,
    Decision,
    Notify,
    Outcome,
    RecordEvaluation,
    RecordFigure,
    RegisterVersion,
    Result,
    Verdict,
)
from controller.domain.rules import Mode, Policy
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.domain.snapshot import Snapshot
from controller.policy.aliases import tidy
from controller.policy.context import DecisionContext, ReasonResult, earliest
from controller.policy.reasons.admit import admit
from controller.policy.reasons.dismiss import dismiss
from controller.policy.reasons.isolate import isolate
from controller.policy.reasons.next_recipe import next_recipe
from controller.policy.reasons.observe import observe
from controller.policy.reasons.person_commands import person_commands
from controller.policy.reasons.profile import profile
from controller.policy.reasons.promote import promote
from controller.policy.reasons.report import report
from controller.policy.reasons.resolve_foreign_move import resolve_foreign_move
from controller.policy.reasons.retire import retire
from controller.policy.reasons.roll_back import order_drill, roll_back
from controller.policy.reasons.train import train
from controller.policy.reasons.version_commands import version_commands
from controller.policy.reasons.watch_rollout import watch_rollout

CODE = "7"
"""Version of the deciding code; raised whenever the same snapshot and rules could be decided otherwise."""

Reason = Callable[[DecisionContext], ReasonResult | None]

REASONS: tuple[Reason, ...] = (
    isolate,  # what cannot be decided must stop nothing else
    dismiss,  # nor what a person takes back
    person_commands,  # a person's hold, release, cancel or reject outranks every automatism
    roll_back,  # a bad champion harms now
    watch_rollout,  # so does a bad challenger that answers requests already
    version_commands,  # then a person's word about one version
    resolve_foreign_move,  # then what somebody else did to the champion in the team's own registry
    promote,  # then evidence that is there is used
    retire,  # then what has left the seat is tidied up
    admit,  # a finished training becomes a candidate
    report,  # a failed one gets its sentence
    profile,  # new data are looked at before they are believed
    observe,  # and the champion is held against what came since
    order_drill,  # the way back is proven before it is needed
    next_recipe,  # a recipe that brings nothing makes way before it is trained again
    train,  # and only then new work is ordered
)
"""Every reason to act, the most urgent first. The first that wants to act decides; the others wait a tick."""

_AT_REST: tuple[Reason, ...] = (isolate, dismiss, person_commands, roll_back)
"""What is decided of a model that rests in error: its own rules or state may be why it rests."""

_KEPT_IN_AUDIT = (RegisterVersion, RecordEvaluation, RecordFigure, Notify)
"""Facts and messages stay in ``mode: audit``; whatever would move a model or start work is left out."""


def decide(snapshot: Snapshot, rules: Policy, now: datetime) -> Decision:
    """What to do about one model, and why. Pure: the same arguments give the same bytes.

    Args:
        snapshot: the model's state, read once.
        rules: the policy in force.
        now: the decision clock, timezone-aware.

    Returns:
        A decision for every call. One that ``changes`` nothing need not be written down.
    """
    context = DecisionContext(snapshot, rules, now)
    findings: list[ReasonResult] = []
    for reason in _AT_REST if snapshot.resting else REASONS:
        finding = reason(context)
        if finding is None:
            continue
        findings.append(finding)
        if finding.verdict is not None:
            break
    decision = _compose(context, findings)
    match rules.mode:
        case Mode.ENFORCE:
            return decision
        case Mode.AUDIT:
            return _audited(decision)
        case _:
            assert_never(rules.mode)


def _compose(context: DecisionContext, findings: list[ReasonResult]) -> Decision:
    acting = next((f for f in findings if f.verdict is not None), None)
    sitting = context.champion.number if context.champion else None
    after = sitting
    if acting is not None and acting.champion_after is not None:
        after = acting.champion_after
    return Decision(
        model=context.snapshot.model,
        verdict=acting.verdict if acting and acting.verdict else Verdict.NONE,
        reason=_reason(context, findings, acting),
        tree=_tree(context, findings, acting),
        decided_at=context.now,
        code=CODE,
        champion_before=sitting,
        champion_after=after,
        challenger=acting.challenger if acting else None,
        actions=tidy(context, acting.actions) if acting else (),
        answers=_news(context, findings),
        wake_at=earliest(*(f.wake_at for f in findings)),
    )


def _reason(
    context: DecisionContext, findings: list[ReasonResult], acting: ReasonResult | None
) -> str:
    if acting is not None:
        return acting.node.sentence
    if findings:
        return findings[-1].node.sentence
    return f"nothing has happened; {context.seat_stays}"


def _tree(
    context: DecisionContext, findings: list[ReasonResult], acting: ReasonResult | None
) -> Outcome:
    return Outcome(
        name="decide",
        result=acting.node.result if acting else Result.IDLE,
        sentence=_reason(context, findings, acting),
        values={"champion": context.champion.number if context.champion else None},
        children=tuple(f.node for f in findings),
    )


def _news(context: DecisionContext, findings: list[ReasonResult]) -> tuple[SignalAnswer, ...]:
    """Only answers that differ from what a signal was told before; no signal stays without one."""
    told = {s.id: (s.status, s.reason) for s in context.snapshot.signals}
    answers = {a.signal: a for f in findings for a in f.answers}
    if not any(f.verdict is not None for f in findings):
        for signal in context.snapshot.signals:
            if signal.status is SignalStatus.OPEN and signal.id not in answers:
                reason = f"no rule of the policy asks for a signal of kind {signal.kind.value}"
                answers[signal.id] = SignalAnswer(
                    signal=signal.id, status=SignalStatus.SKIPPED, reason=reason
                )
    return tuple(
        answer
        for key, answer in sorted(answers.items())
        if told.get(key) != (answer.status, answer.reason)
    )


def _audited(decision: Decision) -> Decision:
    """Decide and record, change nothing: the actions that would have followed are named in the reason."""
    kept = tuple(a for a in decision.actions if isinstance(a, _KEPT_IN_AUDIT))
    if not decision.answers and all(isinstance(action, Notify) for action in kept):
        kept = ()  # nothing would be written that keeps the next tick from saying the same again
    dropped: tuple[Action, ...] = tuple(a for a in decision.actions if a not in kept)
    if not dropped:
        return decision
    return replace(
        decision,
        reason=f"audit mode, nothing was changed: {decision.reason}",
        champion_after=decision.champion_before,
        actions=kept,
        answers=tuple(
            _left_out(answer) if answer.status.done else answer for answer in decision.answers
        ),
    )


def _left_out(answer: SignalAnswer) -> SignalAnswer:
    """What would have been done was not."""
    return replace(answer, status=SignalStatus.SKIPPED, reason=f"audit mode: {answer.reason}")
