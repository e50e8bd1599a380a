"""A person's word about the seat and the work: hold, release, cancel, reject."""

from __future__ import annotations

from controller.domain.decisions import (
    Action,
    CancelRun,
    KeepVersion,
    LetGo,
    LiftHold,
    MoveVersion,
    Outcome,
    PlaceHold,
    Result,
    Verdict,
)
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.versions import VERSION_MOVES, VersionState
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.reasons.base import Reason


def person_commands(context: DecisionContext) -> ReasonResult | None:
    """Carry out the oldest such word; each is one decision of its own."""
    waiting = context.signals(
        SignalKind.HOLD, SignalKind.RELEASE, SignalKind.CANCEL, SignalKind.REJECT
    )
    if not waiting:
        return None
    signal = waiting[0]
    return {
        SignalKind.HOLD: _hold,
        SignalKind.RELEASE: _release,
        SignalKind.CANCEL: _cancel,
        SignalKind.REJECT: _reject,
    }[signal.kind](context, signal)


def _why(signal: Signal) -> str:
    return str(signal.payload.get("reason") or "no reason given")


def _hold(context: DecisionContext, signal: Signal) -> ReasonResult:
    number = signal.payload.get("version")
    if number is not None:
        return _keep(context, signal, number)
    sentence = f"{signal.actor} put automatic promotion on hold: {_why(signal)}"
    if context.snapshot.hold is not None:
        return _pointless(
            signal, f"automatic promotion is on hold already: {context.snapshot.hold.reason}"
        )
    return _done(signal, sentence, Verdict.HOLD, PlaceHold(reason=_why(signal), actor=signal.actor))


def _keep(context: DecisionContext, signal: Signal, number: object) -> ReasonResult:
    """A hold on one version: it is not archived while it lasts."""
    version = context.snapshot.version(number) if isinstance(number, int) else None
    if version is None or version.state is VersionState.ARCHIVED:
        state = "it is archived" if version else "there is no such version"
        return _pointless(signal, f"v{number} cannot be held: {state}")
    if any(keep.version == version.number for keep in context.snapshot.keeps):
        return _pointless(signal, f"v{number} is on hold already")
    sentence = f"{signal.actor} put v{number} on hold, it is not archived: {_why(signal)}"
    action = KeepVersion(version=version.number, reason=_why(signal), actor=signal.actor)
    return _done(signal, sentence, Verdict.HOLD, action)


def _let_go(context: DecisionContext, signal: Signal, number: object) -> ReasonResult:
    if not any(keep.version == number for keep in context.snapshot.keeps):
        return _pointless(signal, f"v{number} is not on hold")
    sentence = f"{signal.actor} released v{number}: {_why(signal)}"
    action = LetGo(version=int(str(number)), reason=_why(signal), actor=signal.actor)
    return _done(signal, sentence, Verdict.NONE, action)


def _release(context: DecisionContext, signal: Signal) -> ReasonResult:
    number = signal.payload.get("version")
    if number is not None:
        return _let_go(context, signal, number)
    if context.snapshot.hold is None:
        return _pointless(signal, "there is no hold to release")
    sentence = f"{signal.actor} released the hold: {_why(signal)}"
    finding = _done(
        signal, sentence, Verdict.NONE, LiftHold(reason=_why(signal), actor=signal.actor)
    )
    # A challenger that waited for the release is looked at again at once.
    return ReasonResult(
        node=finding.node,
        verdict=finding.verdict,
        actions=finding.actions,
        answers=finding.answers,
        wake_at=context.now,
    )


def _cancel(context: DecisionContext, signal: Signal) -> ReasonResult:
    identity = str(signal.payload.get("run", ""))
    run = context.snapshot.run(identity)
    if run is None or run.state.ended:
        state = f"it is {run.state.value}" if run else "there is no such run"
        return _pointless(signal, f"{identity or 'a run'} cannot be cancelled: {state}")
    sentence = f"{signal.actor} cancelled {identity}: {_why(signal)}"
    return _done(
        signal,
        sentence,
        Verdict.NONE,
        CancelRun(run=identity, reason=f"cancelled by {signal.actor}: {_why(signal)}"),
    )


def _reject(context: DecisionContext, signal: Signal) -> ReasonResult:
    number = signal.payload.get("version")
    version = context.snapshot.version(number) if isinstance(number, int) else None
    if version is None:
        return _pointless(signal, f"v{number} cannot be rejected: it is not in play")
    if version.state is VersionState.CHAMPION:
        return _pointless(signal, f"v{number} is the champion: roll back instead of rejecting it")
    if VersionState.REJECTED not in VERSION_MOVES[version.state]:
        return _pointless(signal, f"v{number} cannot be rejected: it is {version.state.value}")
    sentence = f"{signal.actor} rejected v{number}: {_why(signal)}; {context.seat_stays}"
    finding = _done(
        signal,
        sentence,
        Verdict.REJECT,
        MoveVersion(
            version=version.number,
            before=version.state,
            after=VersionState.REJECTED,
            reason=sentence,
        ),
    )
    return ReasonResult(
        node=finding.node,
        verdict=finding.verdict,
        actions=finding.actions,
        answers=finding.answers,
        challenger=version.number,
    )


def _done(signal: Signal, sentence: str, verdict: Verdict, action: Action) -> ReasonResult:
    return ReasonResult(
        node=Outcome(
            name=signal.kind.value,
            result=Result.DONE,
            sentence=sentence,
            values={"signal": signal.id, "actor": signal.actor},
        ),
        verdict=verdict,
        actions=(action,),
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
    )


def _pointless(signal: Signal, sentence: str) -> ReasonResult:
    return ReasonResult(
        node=Outcome(
            name=signal.kind.value,
            result=Result.SKIPPED,
            sentence=sentence,
            values={"signal": signal.id, "actor": signal.actor},
        ),
        verdict=Verdict.NONE,
        answers=answer_all((signal,), SignalStatus.SKIPPED, sentence),
    )


PERSON_COMMANDS = Reason(
    key="person_commands",
    doc="Carries out a person's hold, release, cancel or reject.",
    rank="a person's hold, release, cancel or reject outranks every automatism",
    verdicts=frozenset({Verdict.HOLD, Verdict.NONE, Verdict.REJECT}),
    at_rest=True,
    evaluate=person_commands,
)
