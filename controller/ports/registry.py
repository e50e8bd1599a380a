"""Versions, their facts, and the control row of each model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from controller.domain.decisions import (
    MoveVersion,
    RecordApproval,
    RecordEvaluation,
    RecordTest,
    RegisterVersion,
    SetChampion,
)
from controller.domain.evidence import Evaluation
from controller.domain.rollout import RolloutView
from controller.domain.snapshot import ApprovalView, BudgetView, HoldView, RestView
from controller.domain.versions import Reign, Version, VersionFact, VersionState


@dataclass(frozen=True, kw_only=True, slots=True)
class Within:
    """What narrows versions further: up to which batch they saw data, how the digest begins, when they were made."""

    data: int | None = None
    digest: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""

    def holds(self, version: Version) -> bool:
        """Whether all that is said holds."""
        return (
            (self.data is None or version.data_through == self.data)
            and (self.digest is None or version.digest.startswith(self.digest))
            and (self.since is None or version.created_at >= self.since)
            and (self.until is None or version.created_at < self.until)
        )


class Registry(Protocol):
    """Versions, their states as the fold of facts, and the seat. Moves and seats are checked by the database."""

    def register(
        self, model: str, action: RegisterVersion, *, decision: int, at: datetime
    ) -> Version:
        """Enter a version as candidate. Its number must be the model's next one (else Conflict)."""
        ...

    def move(
        self, model: str, action: MoveVersion, *, decision: int, at: datetime, actor: str
    ) -> None:
        """Move a version; IllegalTransition if the life cycle has no such move, Conflict if it is not ``before``."""
        ...

    def seat(self, model: str, action: SetChampion, *, decision: int, at: datetime) -> int:
        """Compare-and-set the champion; returns the new generation, raises StaleGeneration if another sits there.

        The seat names the version and the version's own state says so: ``seat`` sets the state ``champion`` itself.
        """
        ...

    def attach(self, model: str, action: RecordEvaluation, *, decision: int) -> None:
        """Keep an evaluation with its version (the newest one counts)."""
        ...

    def mark_verified(self, model: str, version: int, *, decision: int, at: datetime) -> None: ...

    def versions(
        self,
        model: str,
        *,
        states: Collection[VersionState] | None = None,
        numbers: Collection[int] | None = None,
        within: Within | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        """All versions, newest first; only those in ``states`` and with one of ``numbers`` where these are given."""
        ...

    def measured(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, float]]:
        """The metrics of each version, newest first: of its training, and over them those of its newest evaluation."""
        ...

    def evaluations(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Evaluation]:
        """The newest evaluation of each version (of each one in ``numbers``) that has one."""
        ...

    def history(self, model: str, limit: int = 20) -> list[Reign]:
        """Who sat in the seat, newest first."""
        ...


class FactLog(Protocol):
    """What ever happened to versions. The registry writes it; nobody changes it."""

    def of(self, model: str, version: int | None = None) -> list[VersionFact]:
        """Every move of the model's versions (of one version), oldest first."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelState:
    """One model's control row. ``generation`` rises with every change of champion (0: the seat is empty)."""

    model: str
    generation: int = 0
    champion: int | None = None
    next_version: int = 1
    next_run: int = 1
    hold: HoldView | None = None
    budget: BudgetView = field(default_factory=BudgetView)
    wake_at: datetime | None = None
    last_fired: Mapping[str, datetime] = field(default_factory=dict)
    recipe_index: int = 0
    rest: RestView = field(default_factory=RestView)
    rollout: RolloutView | None = None
    error: str | None = None
    """Why the engine can't decide for this model (a poisoned policy or signal); None if it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A challenger that was judged and waits, and since when."""

    model: str
    version: int
    since: datetime


class ModelRepository(Protocol):
    """One control row a model, and what is booked against it."""

    def state(self, model: str) -> ModelState:
        """The row; created empty when the model is new."""
        ...

    def all(self, *, troubled: bool = False) -> list[ModelState]:
        """Every row; only those on hold or in error where ``troubled``."""
        ...

    def due(self, now: datetime, limit: int = 100) -> list[str]:
        """Models with an open signal, or whose ``wake_at`` is not after ``now``; longest waiting first.

        Of models that rest in error until later only those for which a person wants something urgent.
        """
        ...

    def waiting(self, limit: int = 100) -> list[Waiting]:
        """The challengers of all models that wait for a person or for labels, longest waiting first."""
        ...

    def update(self, model: str, **changes: Any) -> None:
        """Set fields of the row: hold, wake_at, recipe_index, rest, rollout, error, last_fired."""
        ...

    def record_test(self, model: str, test: RecordTest, *, decision: int) -> None: ...

    def record_approval(
        self, model: str, approval: RecordApproval, *, decision: int, at: datetime
    ) -> None: ...

    def approvals(self, model: str) -> tuple[ApprovalView, ...]: ...
