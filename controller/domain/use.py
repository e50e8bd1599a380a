"""Who needs a version: aliases that point at it, consumers that resolved it, holds, and the way back.

A version that somebody needs is served, however old, and is not archived. The databases refuse it too; the words
for it stand here once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.domain.errors import UserError
from controller.domain.versions import STAGES, Fence, Reign, Version, VersionState, VersionView

RESERVED_ALIAS = "champion"
"""The name of the seat. It resolves like an alias, and only a decision about the seat moves it."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_VERSION = re.compile(r"[vV]?[0-9]+")
RESERVED = frozenset({RESERVED_ALIAS, "latest"})
"""Names that no alias may have."""

UNALIASED = frozenset(s for s, stage in STAGES.items() if Fence.ALIAS in stage.enter_unless)
"""States of a version that no alias may point at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """A name that points at a version. ``generation`` rises with each move; ``version`` None: it was taken away."""

    model: str
    name: str
    generation: int
    version: int | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasMove:
    """One move of an alias: who, why, by which decision, when."""

    id: int
    model: str
    name: str
    generation: int
    version: int | None
    previous: int | None
    actor: str
    reason: str
    decision: int
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """Somebody who uses a version, until ``until``; each resolve renews it.

    ``selector`` is what was asked for: ``champion``, an alias, or a version's number (then it is a pin).
    """

    model: str
    name: str
    version: int
    selector: str
    since: datetime
    seen_at: datetime
    until: datetime
    actor: str = ""
    resolves: int = 0
    downloads: int = 0

    @property
    def pinned(self) -> bool:
        """Whether the consumer named the version itself and will not follow the champion."""
        return _VERSION.fullmatch(self.selector) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """A person's word that a version must stay, until it is lifted."""

    model: str
    version: int
    reason: str
    actor: str
    since: datetime
    lifted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """An artifact that retention took away; from then on its version cannot come back."""

    model: str
    version: int
    digest: str
    at: datetime
    decision: int
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """Who needs one version now. Empty: nobody."""

    aliases: tuple[str, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    holds: tuple[Keep, ...] = ()
    way_back: bool = False

    def __bool__(self) -> bool:
        return bool(self.aliases or self.consumers or self.holds or self.way_back)

    def phrases(self) -> list[str]:
        """Each need as one short phrase."""
        found = [f"alias {name}" for name in self.aliases]
        found += [f"consumer {lease.name}" for lease in self.consumers]
        found += [f"a hold ({keep.reason})" for keep in self.holds]
        if self.way_back:
            found.append("the rollback window")
        return found


def check_alias(name: str) -> str:
    """``name`` if an alias may be called so; UserError otherwise."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name[:80]!r} cannot be the name of an alias.",
            hint="It has letters, digits, - _ and ., and up to 255 of them.",
        )
    if name in RESERVED or _VERSION.fullmatch(name):
        why = (
            "the champion moves by promotion and rollback only"
            if name == RESERVED_ALIAS
            else "it would be taken for a version"
        )
        raise UserError(f"No alias can be called {name}: {why}.", hint="Choose another name.")
    return name


def ways_back(history: Sequence[Reign], versions: Iterable[Version | VersionView]) -> set[int]:
    """The versions that a rollback would seat: the newest earlier champion, and the newest verified one.

    ``history`` is newest first. This is the rollback window that the databases guard.
    """
    known = {version.number: version for version in versions}
    seated = [
        known[reign.version]
        for reign in history
        if reign.version in known
        and known[reign.version].state in {VersionState.SUPERSEDED, VersionState.DEPRECATED}
    ]
    found = {view.number for view in seated[:1]}
    return found | {view.number for view in [v for v in seated if v.verified][:1]}


def live_leases(leases: Iterable[Consumer], now: datetime) -> list[Consumer]:
    """The leases that have time left."""
    return [lease for lease in leases if lease.until > now]


def of_version(leases: Collection[Consumer], version: int) -> tuple[Consumer, ...]:
    """The leases on one version, by name."""
    return tuple(
        sorted((one for one in leases if one.version == version), key=lambda one: one.name)
    )
