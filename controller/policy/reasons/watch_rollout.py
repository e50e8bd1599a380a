"""Watch a rollout: a challenger that answers requests is sent away when its figures are shown to be bad.

The conditions are those of ``rollback.when``, read as for a champion: by a bound that holds at all looks at once.
Too little data neither ends a rollout nor speeds it up.
"""

from __future__ import annotations

from controller.domain.decisions import MoveVersion, Outcome, Result, Verdict
from controller.domain.signals import Signal, SignalAnswer, SignalStatus
from controller.domain.versions import VersionState
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.reasons.base import Reason
from controller.policy.watch import Reading, describe_condition, nothing_bad, reading_node, readings


def watch_rollout(context: DecisionContext) -> ReasonResult | None:
    """What the figures about the version in rollout say; None where there is neither."""
    rollout = context.rollout
    figures = context.rollout_figures
    if rollout is None or not figures:
        return None
    found, booked = readings(context, figures, rollout.version)
    bad = next((r for r in found if r.bad), None)
    if bad is not None:
        return _sent_away(context, bad, figures, tuple(reading_node(r) for r in found))
    return nothing_bad("watch rollout", figures, found, booked)


def _sent_away(
    context: DecisionContext, bad: Reading, figures: tuple[Signal, ...], nodes: tuple[Outcome, ...]
) -> ReasonResult:
    number = bad.signal.payload["version"]
    sentence = (
        f"v{number} is taken out of its rollout: {describe_condition(bad.condition)}: {bad.sentence}; "
        f"{context.seat_stays}"
    )
    move = MoveVersion(
        version=number,
        before=VersionState.CHALLENGER,
        after=VersionState.REJECTED,
        reason=sentence,
    )
    return ReasonResult(
        node=Outcome(name="watch rollout", result=Result.FAIL, sentence=sentence, children=nodes),
        verdict=Verdict.REJECT,
        actions=(move, *context.notices("rejected", sentence)),
        answers=tuple(
            SignalAnswer(signal=s.id, status=SignalStatus.HANDLED, reason=sentence) for s in figures
        ),
        challenger=number,
    )


WATCH_ROLLOUT = Reason(
    key="watch_rollout",
    doc="Takes a challenger out of its rollout, where a condition is shown to hold for it.",
    rank="so does a bad challenger that answers requests already",
    verdicts=frozenset({Verdict.NONE, Verdict.REJECT}),
    at_rest=False,
    evaluate=watch_rollout,
)
