"""Report: work that failed, and news that ask for no action, get their one sentence."""

from __future__ import annotations

from controller.domain.decisions import Action, MoveVersion, Outcome, Result, Verdict
from controller.domain.run_kinds import run_work
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.domain.versions import VERSION_MOVES, VersionState
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.phrase import count
from controller.policy.reasons.base import Reason

_NEWS = (SignalKind.SCHEMA_CHANGED, SignalKind.QUARANTINED, SignalKind.FOREIGN_MOVE)
_TOLD = 3
"""How many different sentences one decision repeats; each signal's answer has its own."""


def report(context: DecisionContext) -> ReasonResult | None:
    """The oldest failed run, else all news of the oldest one's kind: nothing follows from them but a sentence."""
    failed = context.signals(SignalKind.RUN_FAILED)
    if failed:
        return _failed(context, failed[0])
    news = context.signals(*_NEWS)
    if news:
        return _news(context, tuple(one for one in news if one.kind is news[0].kind))
    return None


def _failed(context: DecisionContext, signal: Signal) -> ReasonResult:
    payload = signal.payload
    run, why = str(payload.get("run", "")), str(payload.get("reason") or "no reason was reported")
    work = run_work(str(payload.get("kind", RunKind.TRAIN.value)))
    view = context.snapshot.run(run)
    number = view.version if view is not None else None
    version = context.snapshot.version(number) if number is not None else None
    actions: tuple[Action, ...] = ()
    verdict = Verdict.NONE
    sentence = f"{work.noun} {run} failed: {why}; {context.seat_stays}"
    if (
        work.judges_challenger
        and version is not None
        and VersionState.FAILED in VERSION_MOVES[version.state]
    ):
        verdict = Verdict.REJECT
        sentence = (
            f"v{version.number} could not be judged, evaluation {run} failed: {why}; "
            f"{context.seat_stays}"
        )
        actions = (
            MoveVersion(
                version=version.number,
                before=version.state,
                after=VersionState.FAILED,
                reason=sentence,
            ),
        )
    return ReasonResult(
        node=Outcome(
            name=f"{work.noun} failed",
            result=Result.ERROR,
            sentence=sentence,
            values={"run": run, "state": payload.get("state"), "version": number},
        ),
        verdict=verdict,
        actions=(*actions, *context.notices("failed", sentence)),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
        challenger=number if work.judges_challenger else None,
    )


def _news(context: DecisionContext, signals: tuple[Signal, ...]) -> ReasonResult:
    kind = signals[0].kind.value
    said = {one.id: str(one.payload.get("sentence") or kind.replace("_", " ")) for one in signals}
    different = list(dict.fromkeys(said.values()))
    more = f"; and {count(len(different) - _TOLD, 'other')}" if len(different) > _TOLD else ""
    sentence = f"{'; '.join(different[:_TOLD])}{more}; {context.seat_stays}"
    values = signals[0].payload if len(signals) == 1 else {"signals": list(said)}
    return ReasonResult(
        node=Outcome(name=kind, result=Result.DONE, sentence=sentence, values=values),
        verdict=Verdict.NONE,
        actions=context.notices(kind, sentence),
        answers=tuple(
            SignalAnswer(
                signal=number, status=SignalStatus.HANDLED, reason=f"{told}; {context.seat_stays}"
            )
            for number, told in said.items()
        ),
    )


REPORT = Reason(
    key="report",
    doc="Says that a run failed, that data were quarantined, or that a schema changed.",
    rank="a failed one gets its sentence",
    verdicts=frozenset({Verdict.NONE, Verdict.REJECT}),
    at_rest=False,
    evaluate=report,
)
