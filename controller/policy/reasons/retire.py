"""Retire: superseded versions are deprecated, deprecated ones that nobody needs are archived.

Deprecating sets a date and tells who uses the version; it is served as long as somebody needs it.
"""

from __future__ import annotations

from datetime import datetime

from controller.domain.decisions import (
    Action,
    MoveVersion,
    Notify,
    Outcome,
    Result,
    SetSunset,
    Verdict,
)
from controller.domain.durations import format_duration
from controller.domain.rules import Deprecate
from controller.domain.versions import VersionState, VersionView
from controller.policy.context import DecisionContext, ReasonResult, earliest
from controller.policy.needs import CONSUMERS, needs, served_consumers, stops_archiving
from controller.policy.phrase import format_time_utc, listing
from controller.policy.reasons.base import Reason


def retire(context: DecisionContext) -> ReasonResult | None:
    """One version at a time, the oldest first; never the champion or the version a rollback would seat."""
    section = context.policy.deprecate
    if section is None:
        return None
    wake: datetime | None = None
    blocked: list[Outcome] = []
    for version, after in _in_line(context, section):
        due = (version.state_since or version.created_at) + section.after
        if due > context.now:
            wake = earliest(wake, due)
            continue
        if after is VersionState.DEPRECATED:
            return _deprecated(context, section, version)
        found = needs(context, version)
        stopping = [need for need in found if stops_archiving(need, section.unless)]
        if not stopping:
            return _archived(context, section, version)
        blocked.append(_blocked(version, stopping))
        wake = earliest(wake, _lease_ends(context, version))
    if wake is None and not blocked:
        return None
    sentence = (
        blocked[0].sentence
        if blocked
        else f"the next version is due for it after {format_duration(section.after)}"
    )
    node = Outcome(
        name="retire",
        result=Result.BLOCKED if blocked else Result.IDLE,
        sentence=sentence,
        values={"due": wake},
        children=tuple(blocked),
    )
    return ReasonResult(node=node, wake_at=wake)


def deprecation(
    context: DecisionContext, version: VersionView, sunset: datetime, why: str, *, firm: bool
) -> tuple[str, tuple[Action, ...]]:
    """The sentence and the actions that deprecate a version, whoever asks for it."""
    sentence = (
        f"v{version.number} is deprecated: {why}; it may be gone from {format_time_utc(sunset)}"
    )
    found = needs(context, version)
    if found:
        sentence += f"; still served, needed by {listing(found)}"
    move = MoveVersion(
        version=version.number,
        before=version.state,
        after=VersionState.DEPRECATED,
        reason=sentence,
    )
    date = SetSunset(version=version.number, at=sunset, firm=firm, reason=why)
    return sentence, (move, date, *_letters(context, version, sentence))


def _letters(context: DecisionContext, version: VersionView, sentence: str) -> tuple[Notify, ...]:
    """To the channels that the policy names, and to each consumer under its own name."""
    consumers = tuple(f"consumer:{name}" for name in served_consumers(context, version))
    told = context.notices("deprecated", sentence)
    if not consumers:
        return told
    return (*told, Notify(event="deprecated", channels=consumers, sentence=sentence))


def _in_line(
    context: DecisionContext, section: Deprecate
) -> list[tuple[VersionView, VersionState]]:
    superseded = sorted(
        (v for v in context.snapshot.versions if v.state is VersionState.SUPERSEDED),
        key=lambda v: (v.promoted_at or v.created_at, v.number),
        reverse=True,
    )
    leaving = [(v, VersionState.DEPRECATED) for v in reversed(superseded[section.keep :])]
    deprecated = sorted(
        (v for v in context.snapshot.versions if v.state is VersionState.DEPRECATED),
        key=lambda v: v.number,
    )
    return leaving + [(v, VersionState.ARCHIVED) for v in deprecated]


def _blocked(version: VersionView, stopping: list[str]) -> Outcome:
    return Outcome(
        name=f"archive v{version.number}",
        result=Result.BLOCKED,
        sentence=f"v{version.number} is deprecated and stays, needed by {listing(stopping)}",
        values={"version": version.number, "blockers": stopping},
    )


def _lease_ends(context: DecisionContext, version: VersionView) -> datetime | None:
    """When time alone could let it go: its consumers' leases run out."""
    return earliest(*(u.until for u in context.snapshot.uses if u.version == version.number))


def _deprecated(context: DecisionContext, section: Deprecate, version: VersionView) -> ReasonResult:
    why = f"not among the {section.keep} newest and superseded for {format_duration(section.after)}"
    firm = CONSUMERS not in section.unless
    sentence, actions = deprecation(context, version, context.now + section.after, why, firm=firm)
    values = {"version": version.number, "blockers": needs(context, version)}
    return _done(Verdict.DEPRECATE, sentence, values, actions)


def _archived(context: DecisionContext, section: Deprecate, version: VersionView) -> ReasonResult:
    why = f"deprecated for {format_duration(section.after)} and nobody needs it"
    sentence = f"v{version.number} is archived: {why}"
    move = MoveVersion(
        version=version.number, before=version.state, after=VersionState.ARCHIVED, reason=sentence
    )
    values = {"version": version.number, "blockers": []}
    actions: tuple[Action, ...] = (move, *context.notices("archived", sentence))
    return _done(Verdict.ARCHIVE, sentence, values, actions)


def _done(
    verdict: Verdict, sentence: str, values: dict[str, object], actions: tuple[Action, ...]
) -> ReasonResult:
    node = Outcome(name="retire", result=Result.DONE, sentence=sentence, values=values)
    return ReasonResult(node=node, verdict=verdict, actions=actions)


RETIRE = Reason(
    key="retire",
    doc="Deprecates and archives superseded versions, as the policy says.",
    rank="then earlier champions are deprecated and archived",
    verdicts=frozenset({Verdict.ARCHIVE, Verdict.DEPRECATE, Verdict.NONE}),
    at_rest=False,
    evaluate=retire,
)
