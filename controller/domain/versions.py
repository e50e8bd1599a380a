"""A model's versions and the life cycle they go through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.errors import IllegalTransition
from controller.domain.evidence import Evaluation


class VersionState(StrEnum):
    """Where a version stands; the fold of its facts."""

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    SUPERSEDED = "superseded"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def may_become_champion(self) -> bool:
        """Whether the next move may be to the seat."""
        return VersionState.CHAMPION in VERSION_MOVES[self]


class Fence(StrEnum):
    """What stands in the way of a move that the life cycle has; its value is the sentence of the refusal."""

    ALIAS = "an alias points at this version"
    CONSUMER = "a consumer uses this version"
    HOLD = "a hold keeps this version"
    WAY_BACK = "a rollback would seat this version"
    REMOVED = "its artifact is gone, so the version cannot come back"
    REJECTED = "a version that was rejected never comes back"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a version may go from a state, and what must not stand in the way of entering and of leaving it.

    A move to or from champion is a promotion or a rollback (a reign) and no move by itself: a model has one champion.
    """

    to: tuple[VersionState, ...]
    enter_unless: tuple[Fence, ...] = ()
    leave_unless: tuple[Fence, ...] = ()


_S = VersionState
_NEEDED = (Fence.ALIAS, Fence.CONSUMER, Fence.HOLD, Fence.WAY_BACK)
STAGES: Mapping[VersionState, Stage] = {
    _S.CANDIDATE: Stage((_S.CHALLENGER, _S.CHAMPION, _S.REJECTED, _S.FAILED)),
    _S.CHALLENGER: Stage((_S.CHAMPION, _S.REJECTED, _S.FAILED)),
    _S.CHAMPION: Stage((_S.SUPERSEDED, _S.REJECTED)),
    _S.SUPERSEDED: Stage((_S.CHAMPION, _S.DEPRECATED, _S.REJECTED)),
    _S.DEPRECATED: Stage((_S.CHAMPION, _S.SUPERSEDED, _S.ARCHIVED)),
    _S.ARCHIVED: Stage((_S.DEPRECATED,), _NEEDED, (Fence.REMOVED, Fence.REJECTED)),
    _S.REJECTED: Stage((_S.ARCHIVED,), (Fence.ALIAS,)),
    _S.FAILED: Stage((_S.ARCHIVED,), (Fence.ALIAS,)),
}
"""The life cycle. The stores and the guards of both databases are made from it, and the tests walk it."""

VERSION_MOVES: Mapping[VersionState, frozenset[VersionState]] = {
    state: frozenset(stage.to) for state, stage in STAGES.items()
}
"""Every legal move of a version. Archiving can be undone by a person only while the artifact is still there."""

SEATED_BEFORE = frozenset({_S.SUPERSEDED, _S.DEPRECATED})
"""States of a version that was champion once and may be again by a rollback."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionView:
    """What a decision needs to know of a version. ``verified`` means that it was loaded and answered in a fresh
    process; ``metrics`` are those that its training reported.
    """

    number: int
    state: VersionState
    run: str
    digest: str
    recipe: str
    created_at: datetime
    data_through: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    verified: bool = False
    promoted_at: datetime | None = None
    state_since: datetime | None = None
    blockers: tuple[str, ...] = ()
    """Who still needs it (consumers, pins, holds), each as one short phrase."""
    passes: Mapping[str, float | None] = field(default_factory=dict)
    """Of a version on which judgement was passed: each gate's p-value, in place of the whole evaluation."""
    sunset: datetime | None = None
    removed: bool = False
    """Whether retention took its artifact away."""
    was_rejected: bool = False
    """Of an archived version: whether it was rejected or failed before, and so never comes back."""
    asked_by: tuple[str, ...] = ()
    """Who caused its training by a signal, sorted; read only of versions that people have spoken about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version as the registry holds it: the immutable part plus its present state."""

    model: str
    number: int
    state: VersionState
    run: str
    digest: str
    recipe: str
    created_at: datetime
    size: int = 0
    data_through: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    lineage: str | None = None
    decision: int | None = None
    verified: bool = False
    promoted_at: datetime | None = None
    """When it last took the seat."""
    state_since: datetime | None = None
    sunset: datetime | None = None
    """From when on a deprecated version may be gone."""
    sunset_firm: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionFact:
    """One move of a version: who, why, by which decision, when. ``before`` is None for its entry as candidate.

    Facts are numbered over all models in the order they were written; a version's state is the fold of its facts.
    """

    id: int
    model: str
    version: int
    before: VersionState | None
    after: VersionState
    actor: str
    reason: str
    decision: int
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Reign:
    """One stretch of time in which a version was champion; ``until`` is None for the one that sits now."""

    version: int
    generation: int
    since: datetime
    until: datetime | None = None
    ended_by: str = ""
    """``promotion`` or ``rollback``; empty while it lasts."""


LIVING = frozenset(VersionState) - {_S.ARCHIVED, _S.REJECTED, _S.FAILED}
"""States of a version that a decision may still do something with."""


UNDECIDED = frozenset({_S.CANDIDATE, _S.CHALLENGER})
"""States of a version on which judgement has not been passed."""


def check_move(before: VersionState, after: VersionState) -> None:
    """Raise :class:`~controller.domain.errors.IllegalTransition` unless the life cycle has this move."""
    if after not in VERSION_MOVES[before]:
        raise IllegalTransition(f"A version cannot go from {before} to {after}.")


def fences(before: VersionState, after: VersionState) -> tuple[Fence, ...]:
    """What must not stand in the way of a move, in the order in which it is asked."""
    return STAGES[after].enter_unless + STAGES[before].leave_unless


def fold(facts: Iterable[VersionFact]) -> dict[tuple[str, int], VersionState]:
    """The present state of each version that ``facts`` (oldest first) speak of."""
    return {(fact.model, fact.version): fact.after for fact in facts}
