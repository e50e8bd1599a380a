"""Roll back: the champion leaves the seat to a version that sat there before and was proven to answer."""

from __future__ import annotations

from controller.domain.decisions import (
    Action,
    MoveVersion,
    Outcome,
    PlaceHold,
    Result,
    SetChampion,
    Verdict,
)
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.versions import SEATED_BEFORE, VersionState, VersionView
from controller.policy.case import Case, Finding, answer_all


def roll_back(case: Case) -> Finding | None:
    """A person's request comes first."""
    requests = case.signals(SignalKind.ROLLBACK)
    if requests:
        return _requested(case, requests[0])
    return None


def _requested(case: Case, signal: Signal) -> Finding:
    why = str(signal.payload.get("reason") or "no reason given")
    champion = case.champion
    if champion is None:
        return _refused(signal, "there is no champion to roll back")
    seen = signal.payload.get("expect_version")
    if seen is not None and seen != champion.number:
        return _refused(signal, f"v{seen} is no longer the champion, v{champion.number} is")
    wanted = signal.payload.get("to")
    target = target_of(case, wanted if isinstance(wanted, int) else None)
    if target is None:
        named = f"v{wanted}" if wanted is not None else "no earlier version"
        return _refused(
            signal,
            f"{named} can take the seat back: it must have been champion and still be there",
        )
    sentence = f"{signal.actor} rolled back from v{champion.number} to v{target.number}: {why}"
    return seat_earlier(case, target, sentence, (signal,), signal.actor)


def target_of(case: Case, wanted: int | None = None) -> VersionView | None:
    """Who takes the seat back: ``wanted``, or the newest earlier champion that is proven to answer.

    The order is that of who really sat there, never that of version numbers or archive dates.
    """
    champion = case.champion
    seated = [
        view
        for reign in case.snapshot.history
        if (view := case.snapshot.version(reign.version)) is not None
        and view.state in SEATED_BEFORE
        and (champion is None or view.number != champion.number)
    ]
    if wanted is not None:
        return next((view for view in seated if view.number == wanted), None)
    if case.policy.rollback.to == "last_verified":
        return next((view for view in seated if view.verified), None)
    return next(iter(seated), None)


def seat_earlier(
    case: Case, target: VersionView, sentence: str, signals: tuple[Signal, ...], actor: str
) -> Finding:
    """Move the seat, reject the version that failed, and rest automatic promotion if the policy says so."""
    champion = case.champion
    actions: list[Action] = []
    if champion is not None:
        actions.append(
            MoveVersion(
                version=champion.number,
                before=VersionState.CHAMPION,
                after=VersionState.REJECTED,
                reason=sentence,
            )
        )
    actions.append(
        SetChampion(
            version=target.number,
            generation=case.snapshot.generation,
            previous=champion.number if champion else None,
            reason=sentence,
            cause="rollback",
        )
    )
    if case.policy.rollback.then == "hold" and case.snapshot.hold is None:
        actions.append(PlaceHold(reason=f"after a rollback: {sentence}", actor=actor))
    return Finding(
        node=Outcome(
            name="roll back",
            result=Result.DONE,
            sentence=sentence,
            values={"to": target.number, "actor": actor},
        ),
        verdict=Verdict.ROLLBACK,
        actions=(*actions, *case.notices("rolled_back", sentence)),
        answers=answer_all(signals, SignalStatus.HANDLED, sentence),
        champion_after=target.number,
    )


def _refused(signal: Signal, sentence: str) -> Finding:
    return Finding(
        node=Outcome(name="roll back", result=Result.BLOCKED, sentence=sentence),
        verdict=Verdict.NONE,
        answers=answer_all((signal,), SignalStatus.FAILED, sentence),
    )
