"""A signal that cannot be decided ends as failed, with the sentence, so that the others go on."""

from __future__ import annotations

from controller.domain.decisions import Outcome, Result, Verdict
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.reasons.base import Reason


def isolate(context: DecisionContext) -> ReasonResult | None:
    """Answer what was found to be undecidable; which signals these are was found by trying, and is in the snapshot."""
    ending = [one for one in context.snapshot.set_aside if one.ends]
    if not ending:
        return None
    first = ending[0]
    sentence = f"signal {first.signal} cannot be decided: {first.why}"
    if len(ending) > 1:
        sentence = f"{len(ending)} signals cannot be decided; {sentence}"
    return ReasonResult(
        node=Outcome(
            name="isolate",
            result=Result.ERROR,
            sentence=sentence,
            values={"signals": [one.signal for one in ending]},
        ),
        verdict=Verdict.NONE,
        actions=context.notices("signal_failed", sentence),
        answers=tuple(
            SignalAnswer(
                signal=one.signal,
                status=SignalStatus.FAILED,
                reason=f"it cannot be decided: {one.why}",
            )
            for one in ending
        ),
    )


ISOLATE = Reason(
    key="isolate",
    doc="Answers a signal that cannot be decided as failed, so that the others go on.",
    rank="what cannot be decided must stop nothing else",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=True,
    evaluate=isolate,
)
