"""Admit: a training that finished becomes a candidate, and its evaluation is ordered."""

from __future__ import annotations

from controller.domain.decisions import Outcome, RegisterVersion, Result, Verdict
from controller.domain.runs import Cause, RunKind
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_evaluation


def admit(context: DecisionContext) -> ReasonResult | None:
    """The oldest finished training; one a decision."""
    for signal in context.signals(SignalKind.RUN_FINISHED):
        if signal.payload.get("kind") == RunKind.TRAIN.value:
            return _admit(context, signal)
    return None


def _admit(context: DecisionContext, signal: Signal) -> ReasonResult:
    payload = signal.payload
    run = str(payload.get("run", ""))
    digest = payload.get("digest")
    if not isinstance(digest, str) or len(digest) != 64:
        sentence = f"{run} reported no model; {context.seat_stays}"
        return ReasonResult(
            node=Outcome(name="admit", result=Result.ERROR, sentence=sentence),
            verdict=Verdict.NONE,
            answers=answer_all((signal,), SignalStatus.FAILED, sentence),
        )
    number = context.snapshot.next_version
    recipe = str(payload.get("recipe") or context.policy.train.recipes[0].name)
    metrics = payload.get("metrics") or {}
    lineage = payload.get("lineage")
    register = RegisterVersion(
        version=number,
        run=run,
        digest=digest,
        recipe=recipe,
        size=int(payload.get("size") or 0),
        data_through=int(payload.get("data_through") or 0),
        metrics={name: float(value) for name, value in sorted(metrics.items())},
        lineage=lineage if isinstance(lineage, str) else None,
    )
    cause = Cause(trigger="trained", signals=(signal.id,), sentence=f"{run} finished")
    evaluate = order_evaluation(context, number, recipe, cause)
    opponent = context.seat if context.champion else "the baseline (no champion yet)"
    sentence = f"{run} trained v{number}; {evaluate.run} compares it with {opponent}"
    return ReasonResult(
        node=Outcome(
            name="admit",
            result=Result.DONE,
            sentence=sentence,
            values={"run": run, "version": number, "evaluation": evaluate.run},
        ),
        verdict=Verdict.NONE,
        actions=(register, evaluate),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=number,
    )


ADMIT = Reason(
    key="admit",
    doc="Makes a candidate of a finished training, and orders its evaluation.",
    rank="a finished training becomes a candidate",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=False,
    evaluate=admit,
)
