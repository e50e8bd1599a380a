"""Train: a trigger fires, the limits allow it, and a challenger is ordered. All causes go on the run."""

from __future__ import annotations

from collections.abc import Iterable

from controller.domain.decisions import Outcome, Result, Verdict
from controller.domain.runs import Cause
from controller.domain.signals import (
    TRAINING_CAUSES,
    Signal,
    SignalAnswer,
    SignalStatus,
)
from controller.policy.context import DecisionContext, ReasonResult, answer_all, earliest, finished
from controller.policy.decayed import decay_figures
from controller.policy.limits import Limited, limit
from controller.policy.phrase import listing
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_training
from controller.policy.triggers import TriggerVerdict, judge_triggers, measured_kinds
from controller.policy.triggers.registry import unwanted


def train(context: DecisionContext) -> ReasonResult | None:
    """Every trigger is judged; those that fire become the causes of one training."""
    demanded = {figure.id for figure in decay_figures(context)}
    waiting = tuple(
        signal
        for signal in (
            *context.signals(*TRAINING_CAUSES),
            *(signal for kind in measured_kinds() for signal in finished(context, kind)),
        )
        if signal.id not in demanded  # the seat is about to be taken back, which answers it
    )
    verdicts = judge_triggers(context)
    if not waiting:
        return None
    firing = tuple(v for v in verdicts if v.result is Result.FIRING and v.signals)
    orphans = _orphans(waiting, verdicts)
    if not firing:
        return _quiet(verdicts, orphans)
    limited = limit(context)
    if limited is not None:
        return _limited(context, verdicts, firing, limited, orphans)
    return _start(context, verdicts, firing, orphans)


def _orphans(
    waiting: tuple[Signal, ...], verdicts: tuple[TriggerVerdict, ...]
) -> tuple[Signal, ...]:
    known = {s.id for v in verdicts for s in (*v.signals, *v.spent)}
    return tuple(signal for signal in waiting if signal.id not in known)


def _start(
    context: DecisionContext,
    verdicts: tuple[TriggerVerdict, ...],
    firing: tuple[TriggerVerdict, ...],
    orphans: tuple[Signal, ...],
) -> ReasonResult:
    causes = tuple(
        Cause(trigger=v.trigger, signals=tuple(s.id for s in v.signals), sentence=v.sentence)
        for v in firing
    )
    order = order_training(context, causes)
    why = listing([f"{v.trigger} ({v.sentence})" for v in firing])
    sentence = f"{order.run} trains a challenger with '{order.spec.recipe}' because of {why}"
    used = _distinct(signal for v in firing for signal in v.signals)
    return ReasonResult(
        node=_node(sentence, Result.FIRING, verdicts, {"run": order.run}),
        verdict=Verdict.TRAIN,
        actions=(order, *context.notices("training", sentence)),
        answers=(
            *answer_all(used, SignalStatus.HANDLED, f"{order.run} was started"),
            *_leftovers(verdicts, orphans, {signal.id for signal in used}),
        ),
    )


def _limited(
    context: DecisionContext,
    verdicts: tuple[TriggerVerdict, ...],
    firing: tuple[TriggerVerdict, ...],
    limited: Limited,
    orphans: tuple[Signal, ...],
) -> ReasonResult:
    used = _distinct(signal for v in firing for signal in v.signals)
    skip = limited.by_running and context.policy.limits.queue_while_running == "skip"
    status = SignalStatus.SKIPPED if skip else SignalStatus.DEFERRED
    tail = "the policy skips what comes meanwhile" if skip else "it waits"
    reason = f"{limited.sentence}; {tail}"
    return ReasonResult(
        node=_node(reason, Result.BLOCKED, verdicts, {}),
        answers=(
            *answer_all(used, status, reason),
            *_leftovers(verdicts, orphans, {signal.id for signal in used}),
        ),
        wake_at=earliest(limited.until, *(v.wake_at for v in verdicts)),
    )


def _quiet(verdicts: tuple[TriggerVerdict, ...], orphans: tuple[Signal, ...]) -> ReasonResult:
    pending = [v for v in verdicts if v.result is Result.PENDING]
    sentence = (
        "no training starts: " + "; ".join(f"{v.trigger}: {v.sentence}" for v in pending)
        if pending
        else "no training starts: no trigger fires"
    )
    return ReasonResult(
        node=_node(sentence, Result.IDLE, verdicts, {}),
        answers=_leftovers(verdicts, orphans, set()),
        wake_at=earliest(*(v.wake_at for v in verdicts)),
    )


def _leftovers(
    verdicts: tuple[TriggerVerdict, ...], orphans: tuple[Signal, ...], used: set[int]
) -> tuple[SignalAnswer, ...]:
    """Signals that caused nothing now: pending ones wait, spent ones and those without a trigger end."""
    answers: dict[int, SignalAnswer] = {}
    for verdict in verdicts:
        for signal in verdict.spent:
            if signal.id not in used:
                answers[signal.id] = SignalAnswer(
                    signal=signal.id, status=SignalStatus.SKIPPED, reason=verdict.sentence
                )
        if verdict.result is not Result.PENDING:
            continue
        for signal in verdict.signals:
            if signal.id not in used:
                answers[signal.id] = SignalAnswer(
                    signal=signal.id,
                    status=SignalStatus.DEFERRED,
                    reason=f"{verdict.trigger} is pending: {verdict.sentence}",
                )
    for signal in orphans:
        answers[signal.id] = SignalAnswer(
            signal=signal.id, status=SignalStatus.SKIPPED, reason=unwanted(signal)
        )
    return tuple(answers[key] for key in sorted(answers))


def _distinct(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    return tuple({signal.id: signal for signal in signals}.values())


def _node(
    sentence: str, result: Result, verdicts: tuple[TriggerVerdict, ...], values: dict[str, str]
) -> Outcome:
    return Outcome(
        name="train",
        result=result,
        sentence=sentence,
        values=values,
        children=tuple(v.node for v in verdicts),
    )


TRAIN = Reason(
    key="train",
    doc="Orders a training, where a trigger fires and no limit forbids it.",
    rank="and only then new work is ordered",
    verdicts=frozenset({Verdict.TRAIN}),
    at_rest=False,
    evaluate=train,
)
