"""Who needs a version that has left the seat, as a decision sees it in the snapshot."""

from __future__ import annotations

from controller.domain.use import ways_back
from controller.domain.versions import VersionView
from controller.policy.context import DecisionContext

SERVING, CONSUMERS, HOLD, WAY_BACK = "serving", "consumers", "hold", "rollback_target"
_FIRM = frozenset({CONSUMERS, HOLD, WAY_BACK})
"""Needs that stop archiving whatever the policy says: the database refuses too. An alias can be taken away."""


def needs(context: DecisionContext, version: VersionView) -> list[str]:
    """Each need as ``kind: who``."""
    snapshot, found = context.snapshot, list(version.blockers)
    found += [
        f"{SERVING}: alias {alias.name}"
        for alias in snapshot.aliases
        if alias.version == version.number
    ]
    for use in snapshot.uses:
        if use.version == version.number:
            names = ", ".join(use.consumers)
            more = use.count - len(use.consumers)
            found.append(f"{CONSUMERS}: {names}" + (f" and {more:,} more" if more else ""))
    found += [
        f"{HOLD}: {keep.actor}, {keep.reason}"
        for keep in snapshot.keeps
        if keep.version == version.number
    ]
    if version.number in ways_back(snapshot.history, snapshot.versions):
        found.append(f"{WAY_BACK}: a rollback would restore it")
    return found


def stops_archiving(need: str, unless: tuple[str, ...]) -> bool:
    """Whether a need keeps its version from being archived, by the policy's ``unless`` or by itself."""
    kind = need.split(":", maxsplit=1)[0]
    return kind in unless or kind in _FIRM


def served_consumers(context: DecisionContext, version: VersionView) -> tuple[str, ...]:
    """The names of who uses the version, as far as the snapshot lists them."""
    return tuple(
        name
        for use in context.snapshot.uses
        if use.version == version.number
        for name in use.consumers
    )
