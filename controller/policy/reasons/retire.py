"""Retire: superseded versions are deprecated, deprecated ones that nobody needs are archived."""

from __future__ import annotations

from datetime import datetime

from controller.domain.decisions import MoveVersion, Outcome, Result, Verdict
from controller.domain.rules import Deprecate
from controller.domain.versions import VersionState, VersionView
from controller.policy.case import Case, Finding, earliest
from controller.policy.phrase import duration, listing
from controller.policy.reasons.roll_back import target_of


def retire(case: Case) -> Finding | None:
    """One version at a time, the oldest first; never the champion or the version a rollback would seat."""
    section = case.policy.deprecate
    if section is None:
        return None
    wake: datetime | None = None
    for version, after in _in_line(case, section):
        due = (version.state_since or version.created_at) + section.after
        if due > case.now:
            wake = earliest(wake, due)
            continue
        blockers = _blockers(case, section, version)
        if blockers and after is VersionState.ARCHIVED:
            continue
        return _move(case, section, version, after, blockers)
    if wake is None:
        return None
    node = Outcome(
        name="retire",
        result=Result.IDLE,
        sentence=f"the next version is due for it after {duration(section.after)}",
        values={"due": wake},
    )
    return Finding(node=node, wake_at=wake)


def _in_line(case: Case, section: Deprecate) -> list[tuple[VersionView, VersionState]]:
    superseded = sorted(
        (v for v in case.snapshot.versions if v.state is VersionState.SUPERSEDED),
        key=lambda v: (v.promoted_at or v.created_at, v.number),
        reverse=True,
    )
    leaving = [(v, VersionState.DEPRECATED) for v in reversed(superseded[section.keep :])]
    deprecated = sorted(
        (v for v in case.snapshot.versions if v.state is VersionState.DEPRECATED),
        key=lambda v: v.number,
    )
    return leaving + [(v, VersionState.ARCHIVED) for v in deprecated]


def _blockers(case: Case, section: Deprecate, version: VersionView) -> list[str]:
    found = [item for item in version.blockers if item.split(":")[0] in section.unless]
    target = target_of(case)
    needed = "rollback_target" in section.unless and target is not None
    if needed and target is not None and target.number == version.number:
        found.append("rollback_target: it is who a rollback would seat")
    return found


def _move(
    case: Case,
    section: Deprecate,
    version: VersionView,
    after: VersionState,
    blockers: list[str],
) -> Finding:
    verdict = Verdict.DEPRECATE if after is VersionState.DEPRECATED else Verdict.ARCHIVE
    why = (
        f"not among the {section.keep} newest and superseded for {duration(section.after)}"
        if verdict is Verdict.DEPRECATE
        else f"deprecated for {duration(section.after)} and nobody needs it"
    )
    sentence = f"v{version.number} is {after.value}: {why}"
    if blockers:
        sentence += f"; still served, needed by {listing(blockers)}"
    move = MoveVersion(version=version.number, before=version.state, after=after, reason=sentence)
    return Finding(
        node=Outcome(
            name="retire",
            result=Result.DONE,
            sentence=sentence,
            values={"version": version.number, "blockers": blockers},
        ),
        verdict=verdict,
        actions=(move, *case.notices(after.value, sentence)),
    )
