"""Curate: a person's word about one version: an alias, deprecating, archiving, bringing back, taking the bytes.

What the database would refuse is refused here first, with the sentence that says who needs the version.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from controller.domain.decisions import (
    Action,
    MoveVersion,
    Outcome,
    RemoveArtifact,
    Result,
    SetAlias,
    SetSunset,
    Verdict,
)
from controller.domain.errors import UserError
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.use import UNALIASED, check_alias
from controller.domain.versions import VERSION_MOVES, VersionState, VersionView
from controller.policy.context import DecisionContext, ReasonResult, answer_all
from controller.policy.needs import needs
from controller.policy.phrase import count, listing
from controller.policy.reasons.base import Reason
from controller.policy.reasons.retire import deprecation

_S = VersionState
_SUNSET = timedelta(days=30)
"""How long a version is served after a person deprecated it, where neither they nor the policy say."""


def version_commands(context: DecisionContext) -> ReasonResult | None:
    """Carry out the oldest such word; each is one decision of its own."""
    waiting = context.signals(*_WORDS)
    if not waiting:
        return None
    signal = waiting[0]
    try:
        return _WORDS[signal.kind](context, signal)
    except _Refused as refused:
        node = Outcome(
            name=signal.kind.value,
            result=Result.BLOCKED,
            sentence=str(refused),
            values={"signal": signal.id, "actor": signal.actor},
        )
        return ReasonResult(
            node=node,
            verdict=Verdict.NONE,
            answers=answer_all((signal,), SignalStatus.FAILED, str(refused)),
        )


class _Refused(Exception):
    """Why it cannot be done, as half a sentence."""


def _alias(context: DecisionContext, signal: Signal) -> ReasonResult:
    name, number = str(signal.payload.get("alias") or ""), signal.payload.get("version")
    try:
        check_alias(name)
    except UserError as error:
        raise _Refused(error.sentence().rstrip(".")) from None
    seen = next((a for a in context.snapshot.aliases if a.name == name), None)
    generation, previous = (seen.generation, seen.version) if seen else (0, None)
    expected = signal.payload.get("expect_version", previous)
    if expected != previous:
        raise _Refused(f"{name} points at {_name(previous)} by now, not at {_name(expected)}")
    if number is not None:
        version = _version(context, signal)
        if version.state in UNALIASED:
            raise _Refused(f"{name} cannot point at v{number}: it is {version.state.value}")
    if number == previous:
        raise _Refused(f"{name} points at {_name(previous)} already")
    to = f"now points at v{number}" if number is not None else "was taken away"
    sentence = f"{name} {to}, {_by(signal)}"
    action = SetAlias(
        alias=name,
        version=number,
        generation=generation,
        previous=previous,
        reason=_why(signal),
    )
    return _done(signal, sentence, Verdict.NONE, (action,))


def _deprecate(context: DecisionContext, signal: Signal) -> ReasonResult:
    version = _version(context, signal)
    if version.state is not _S.SUPERSEDED:
        raise _Refused(
            f"v{version.number} cannot be deprecated: it is {version.state.value}, not superseded"
        )
    section = context.policy.deprecate
    sunset = _time(signal) or context.now + (section.after if section else _SUNSET)
    if sunset < context.now:
        raise _Refused(f"v{version.number} cannot be deprecated with a date that is over")
    firm = bool(signal.payload.get("firm"))
    sentence, actions = deprecation(context, version, sunset, _by(signal), firm=firm)
    return _done(signal, sentence, Verdict.DEPRECATE, actions)


def _archive(context: DecisionContext, signal: Signal) -> ReasonResult:
    version = _version(context, signal)
    if _S.ARCHIVED not in VERSION_MOVES[version.state]:
        hint = ", deprecate it first" if version.state is _S.SUPERSEDED else ""
        raise _Refused(f"v{version.number} cannot be archived: it is {version.state.value}{hint}")
    found = needs(context, version)
    if found:
        raise _Refused(f"v{version.number} cannot be archived: needed by {listing(found)}")
    sentence = f"v{version.number} is archived, {_by(signal)}"
    move = MoveVersion(
        version=version.number, before=version.state, after=_S.ARCHIVED, reason=sentence
    )
    return _done(signal, sentence, Verdict.ARCHIVE, (move, *context.notices("archived", sentence)))


def _restore(context: DecisionContext, signal: Signal) -> ReasonResult:
    """One step back: archived to deprecated, deprecated to superseded."""
    version = _version(context, signal)
    back = {_S.ARCHIVED: _S.DEPRECATED, _S.DEPRECATED: _S.SUPERSEDED}.get(version.state)
    if back is None:
        raise _Refused(
            f"v{version.number} cannot be brought back: it is {version.state.value},"
            " neither archived nor deprecated"
        )
    if version.removed:
        raise _Refused(f"v{version.number} cannot be brought back: its artifact is gone")
    if version.was_rejected:
        raise _Refused(f"v{version.number} cannot be brought back: it was rejected")
    sentence = f"v{version.number} is {back.value} again, {_by(signal)}"
    move = MoveVersion(version=version.number, before=version.state, after=back, reason=sentence)
    section = context.policy.deprecate
    sunset = (
        context.now + (section.after if section else _SUNSET) if back is _S.DEPRECATED else None
    )
    date = SetSunset(version=version.number, at=sunset, firm=False, reason=_why(signal))
    return _done(signal, sentence, Verdict.NONE, (move, date))


def _retain(context: DecisionContext, signal: Signal) -> ReasonResult:
    """Take away the artifacts that a dry run listed; all of them or none."""
    numbers = [n for n in signal.payload.get("versions") or () if isinstance(n, int)]
    actions: list[Action] = []
    for number in numbers:
        version = context.snapshot.version(number)
        if version is None or version.state is not _S.ARCHIVED or version.removed:
            state = (
                "gone" if version and version.removed else version.state if version else "unknown"
            )
            raise _Refused(f"v{number} is {state}: only an archived version's artifact is taken")
        actions.append(RemoveArtifact(version=number, digest=version.digest, reason=_why(signal)))
    if not actions:
        raise _Refused("there is nothing to take away")
    named = listing([f"v{number}" for number in numbers])
    sentence = f"{count(len(actions), 'artifact')} taken away ({named}), {_by(signal)}"
    return _done(signal, sentence, Verdict.NONE, tuple(actions))


_WORDS = {
    SignalKind.ALIAS: _alias,
    SignalKind.DEPRECATE: _deprecate,
    SignalKind.ARCHIVE: _archive,
    SignalKind.RESTORE: _restore,
    SignalKind.RETAIN: _retain,
}


def _version(context: DecisionContext, signal: Signal) -> VersionView:
    number = signal.payload.get("version")
    version = context.snapshot.version(number) if isinstance(number, int) else None
    if version is None:
        raise _Refused(f"there is no version {number}")
    return version


def _time(signal: Signal) -> datetime | None:
    text = signal.payload.get("sunset")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise _Refused(f"{text!r} is no time") from None
    if at.tzinfo is None:
        raise _Refused(f"{text!r} has no time zone")
    return at


def _why(signal: Signal) -> str:
    return str(signal.payload.get("reason") or "no reason given")


def _by(signal: Signal) -> str:
    return f"by {signal.actor}: {_why(signal)}"


def _name(version: int | None) -> str:
    return "no version" if version is None else f"v{version}"


def _done(
    signal: Signal, sentence: str, verdict: Verdict, actions: tuple[Action, ...]
) -> ReasonResult:
    node = Outcome(
        name=signal.kind.value,
        result=Result.DONE,
        sentence=sentence,
        values={"signal": signal.id, "actor": signal.actor},
    )
    return ReasonResult(
        node=node,
        verdict=verdict,
        actions=actions,
        answers=answer_all((signal,), SignalStatus.HANDLED, sentence),
    )


VERSION_COMMANDS = Reason(
    key="version_commands",
    doc="Carries out a person's order about one version: alias, deprecate, archive, restore, retain.",
    rank="then a person's order about one version",
    verdicts=frozenset({Verdict.ARCHIVE, Verdict.DEPRECATE, Verdict.NONE}),
    at_rest=False,
    evaluate=version_commands,
)
