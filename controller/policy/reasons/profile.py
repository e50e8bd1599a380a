"""Profile: new data are checked before they are used. A batch that breaks its expectations is quarantined.

A finished profile is also the reading that the drift triggers wait for, so its signal stays until ``train`` has
judged it.
"""

from __future__ import annotations

from typing import Any

from controller.domain.decisions import Outcome, Quarantine, Result, Verdict
from controller.domain.runs import Cause, RunKind, RunState
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.policy.context import DecisionContext, ReasonResult, answer_all, finished
from controller.policy.phrase import count
from controller.policy.reasons.base import Reason
from controller.policy.run_orders import order_profile
from controller.policy.triggers.registry import measures


def profile(context: DecisionContext) -> ReasonResult | None:
    """Take what profiles found out, then order one for data that nobody has looked at."""
    words = context.signals(SignalKind.RELEASE_BATCH)
    asked = next((s for s in words if s.status is SignalStatus.OPEN), None)
    if asked is not None:
        return _let_in(context, asked)
    broken = next((s for s in profile_signals(context) if _quarantined(s)), None)
    if broken is not None:
        return _quarantine(context, broken)
    if not _wanted(context) or context.snapshot.data.batches == 0:
        return None
    runs = [run for run in context.snapshot.runs if run.kind is RunKind.PROFILE]
    looked_at = max((run.data_through for run in runs), default=0)
    if looked_at >= context.snapshot.data.through or any(not run.state.ended for run in runs):
        return None
    news = tuple(s.id for s in context.signals(SignalKind.NEW_DATA))
    order = order_profile(context, looked_at, Cause(trigger="new data", signals=news))
    sentence = f"{order.run} checks the new data before they are used"
    return ReasonResult(
        node=Outcome(name="profile", result=Result.DONE, sentence=sentence),
        verdict=Verdict.NONE,
        actions=(order,),
    )


def profile_signals(context: DecisionContext) -> tuple[Signal, ...]:
    """Finished profiles that have not been answered."""
    return finished(context, RunKind.PROFILE)


def unchecked(context: DecisionContext) -> str | None:
    """Why the newest data may not be trained on yet, where the policy expects something of them."""
    if not context.policy.data.expect:
        return None
    runs = [run for run in context.snapshot.runs if run.kind is RunKind.PROFILE]
    done = max((run.data_through for run in runs if run.state is RunState.DONE), default=0)
    if done >= context.snapshot.data.through:
        return None
    last = max(runs, key=lambda run: run.number, default=None)
    if last is not None and last.state in {RunState.FAILED, RunState.DEAD}:
        return f"the newest data could not be checked: {last.reason}"
    return "the newest data are being checked"


def _wanted(context: DecisionContext) -> bool:
    return measures(context, RunKind.PROFILE) or bool(context.policy.data.expect)


def _quarantined(signal: Signal) -> list[dict[str, Any]]:
    found = signal.payload.get("quarantine") or []
    return [item for item in found if isinstance(item, dict) and "sequence" in item]


def _quarantine(context: DecisionContext, signal: Signal) -> ReasonResult:
    """Payload: ``"quarantine": [{"sequence", "uri", "sentence"}]``; their new-data signals train nothing."""
    items = _quarantined(signal)
    reasons = {int(item["sequence"]): str(item.get("sentence") or "broken") for item in items}
    said = "; ".join(f"{item.get('uri')}: {item.get('sentence')}" for item in items)
    sentence = f"{count(len(items), 'batch')} quarantined: {said}; {context.seat_stays}"
    skipped = tuple(
        SignalAnswer(
            signal=news.id,
            status=SignalStatus.SKIPPED,
            reason=f"quarantined: {reasons[int(news.payload['sequence'])]}",
        )
        for news in context.signals(SignalKind.NEW_DATA)
        if news.payload.get("sequence") in reasons
    )
    return ReasonResult(
        node=Outcome(
            name="quarantine",
            result=Result.FAIL,
            sentence=sentence,
            values={"batches": sorted(reasons)},
        ),
        verdict=Verdict.NONE,
        actions=(
            *(Quarantine(sequence=number, reason=why) for number, why in sorted(reasons.items())),
            *context.notices("quarantined", sentence),
        ),
        answers=(*skipped, *answer_all((signal,), SignalStatus.HANDLED, sentence)),
    )


def _let_in(context: DecisionContext, signal: Signal) -> ReasonResult:
    """A person releases a batch. It counts as new data from now on, so its signal stays for the triggers."""
    number = signal.payload.get("sequence")
    through = context.snapshot.data.through
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= through:
        sentence = f"there is no batch {number} to release"
        return ReasonResult(
            node=Outcome(name="release batch", result=Result.SKIPPED, sentence=sentence),
            verdict=Verdict.NONE,
            answers=answer_all((signal,), SignalStatus.SKIPPED, sentence),
        )
    why = signal.payload.get("reason") or "no reason given"
    sentence = f"{signal.actor} released batch {number} from quarantine: {why}"
    return ReasonResult(
        node=Outcome(
            name="release batch",
            result=Result.DONE,
            sentence=sentence,
            values={"batch": number, "actor": signal.actor},
        ),
        verdict=Verdict.NONE,
        actions=(Quarantine(sequence=number, reason=""),),
        answers=answer_all((signal,), SignalStatus.DEFERRED, sentence),
    )


PROFILE = Reason(
    key="profile",
    doc="Has new data profiled, and quarantines or releases a batch.",
    rank="new data are checked before they are used",
    verdicts=frozenset({Verdict.NONE}),
    at_rest=False,
    evaluate=profile,
)
