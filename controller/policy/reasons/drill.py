"""The drill: the way back to an earlier champion is proven before it is needed."""

from __future__ import annotations

from controller.domain.decisions import Outcome, Result, Verdict
from controller.domain.durations import format_duration
from controller.domain.runs import Cause, RunKind
from controller.domain.signals import SignalKind
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.reasons.base import Reason
from controller.policy.reasons.roll_back import DRILL_CAUSE, target_of
from controller.policy.run_orders import order_verification


def order_drill(context: DecisionContext) -> ReasonResult | None:
    """Prove the way back every so often, where the policy asks for it; the seat stays."""
    every = context.policy.rollback.drill
    target = target_of(context)
    if every is None or target is None or context.signals(SignalKind.DRILL):
        return None
    runs = [run for run in context.snapshot.runs if run.kind is RunKind.VERIFY]
    last = max((run.ordered_at for run in runs), default=None)
    if any(not run.state.ended for run in runs):
        return None
    if last is not None and last + every > context.now:
        sentence = f"the rollback target is verified again after {format_duration(every)}"
        node = Outcome(name=DRILL_CAUSE, result=Result.IDLE, sentence=sentence)
        return ReasonResult(node=node, wake_at=last + every)
    cause = Cause(trigger=DRILL_CAUSE, signals=(), sentence="on schedule")
    order = order_verification(context, target, cause)
    sentence = (
        f"{order.run} verifies that a rollback to v{target.number} would work; {context.seat_stays}"
    )
    return ReasonResult(
        node=Outcome(name=DRILL_CAUSE, result=Result.DONE, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
    )


DRILL = Reason(
    key="drill",
    doc="Proves every so often that a rollback would work.",
    rank="the way back is proven before it is needed",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=False,
    evaluate=order_drill,
)
