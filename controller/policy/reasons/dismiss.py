"""A person ends a signal that is stuck or that nobody wants any more."""

from __future__ import annotations

from controller.domain.decisions import Outcome, Result, Verdict
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.reasons.base import Reason


def dismiss(context: DecisionContext) -> ReasonResult | None:
    """Carry out the oldest such wish; each is one decision of its own."""
    wishes = context.signals(SignalKind.DISMISS)
    if not wishes:
        return None
    wish = wishes[0]
    number = wish.payload.get("signal")
    if number == wish.id:
        return _finding(wish, SignalStatus.SKIPPED, "a dismissal cannot dismiss itself")
    if type(number) is not int or number not in _waiting(context):
        return _finding(wish, SignalStatus.SKIPPED, f"signal {number} does not wait for an answer")
    why = str(wish.payload.get("reason") or "no reason given")
    sentence = f"{wish.actor} dismissed signal {number}: {why}"
    ended = SignalAnswer(signal=number, status=SignalStatus.SKIPPED, reason=sentence)
    return _finding(wish, SignalStatus.HANDLED, sentence, ended)


def _waiting(context: DecisionContext) -> set[int]:
    aside = {one.signal for one in context.snapshot.set_aside}
    return aside | {signal.id for signal in context.snapshot.signals}


def _finding(
    wish: Signal, status: SignalStatus, sentence: str, *others: SignalAnswer
) -> ReasonResult:
    return ReasonResult(
        node=Outcome(
            name="dismiss",
            result=Result.DONE if status.done else Result.SKIPPED,
            sentence=sentence,
            values={"signal": wish.id, "actor": wish.actor},
        ),
        verdict=Verdict.NONE,
        answers=(*others, SignalAnswer(signal=wish.id, status=status, reason=sentence)),
    )


DISMISS = Reason(
    key="dismiss",
    doc="Ends a signal that a person takes back.",
    rank="nor what a person takes back",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=True,
    evaluate=dismiss,
)
