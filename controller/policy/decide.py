"""The one decision function. Backtest, plan, verify and the running engine all call this and nothing else."""

from __future__ import annotations

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
from controller.policy.reasons.registry import AT_REST, REASONS

CODE = "8"
"""Version of the deciding code; raised whenever the same snapshot and rules could be decided otherwise."""

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
    for reason in AT_REST if snapshot.resting else REASONS:
        finding = reason.evaluate(context)
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
