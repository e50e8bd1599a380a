"""Who uses versions: aliases, consumers, holds, tags; and what retention took away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.decisions import (
    KeepVersion,
    LetGo,
    RecordFigure,
    RemoveArtifact,
    SetAlias,
    SetSunset,
)
from controller.domain.records import WindowSums
from controller.domain.rollout import RolloutView
from controller.domain.use import Alias, AliasMove, Consumer, Keep, Removal
from controller.domain.versions import Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What a name stands for now. ``generation`` rises whenever that changes (of a number: never)."""

    name: str
    generation: int
    version: Version
    rollout: RolloutView | None = None
    """Of the champion: the challenger that answers a share of its requests, and which share."""


class AliasRepository(Protocol):
    """Names that point at versions. ``champion`` resolves here too and is moved by the registry alone."""

    def resolve(self, model: str, name: str) -> Resolved | None:
        """The version behind ``champion``, an alias or a number (``3``, ``v3``), in one SELECT; None: nothing is."""
        ...

    def set(
        self, model: str, action: SetAlias, *, decision: int, at: datetime, actor: str
    ) -> Alias:
        """Compare-and-set; StaleGeneration if it was moved, Conflict if the version is missing or has ended."""
        ...

    def get(self, model: str, name: str) -> Alias | None:
        """The alias, also one that was taken away (its generation goes on)."""
        ...

    def of(self, model: str) -> list[Alias]:
        """Those that point at a version, by name."""
        ...

    def moves(self, model: str, name: str | None = None) -> list[AliasMove]:
        """Every move, oldest first."""
        ...


class ConsumerRepository(Protocol):
    """Leases of consumers on versions. Times are of the decision clock."""

    def renew(self, lease: Consumer, *, downloads: int = 0) -> Consumer:
        """Take or renew a lease (``since`` stays, ``until`` never falls) and count one resolve, or a download."""
        ...

    def release(self, model: str, name: str, at: datetime) -> int:
        """The consumer is gone: end its leases now; how many ended."""
        ...

    def of(self, model: str, *, live_at: datetime | None = None) -> list[Consumer]:
        """All leases of the model (those with time left at ``live_at``), by version, the newest first, and name."""
        ...

    def by_name(self, name: str) -> list[Consumer]:
        """All leases of one consumer, over all models."""
        ...


class RetentionHoldRepository(Protocol):
    """Holds on versions, sunsets, and artifacts that are gone. Each follows from a decision."""

    def keep(self, model: str, action: KeepVersion, *, decision: int, at: datetime) -> None: ...

    def let_go(self, model: str, action: LetGo, *, decision: int, at: datetime) -> None: ...

    def of(self, model: str, *, lifted: bool = False) -> list[Keep]:
        """Holds that stand; with ``lifted`` all that ever were."""
        ...

    def sunset(self, model: str, action: SetSunset, *, decision: int) -> None: ...

    def remove(
        self, model: str, action: RemoveArtifact, *, decision: int, at: datetime
    ) -> None: ...

    def removals(self, model: str | None = None, *, undone: bool = False) -> list[Removal]:
        """Removals of a model (of all), oldest first; with ``undone`` those whose bytes may still be there."""
        ...

    def removed(self, model: str, version: int, at: datetime) -> None:
        """The bytes are gone."""
        ...

    def users_of(self, digest: str) -> list[Version]:
        """The versions with that artifact whose removal was not decided: while there is one, the bytes stay."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A word with a value on a model (``version`` 0) or on one of its versions. Nothing is decided by it."""

    model: str
    version: int
    name: str
    value: str
    actor: str
    at: datetime


class NoteRepository(Protocol):
    """Tags and descriptions of models (version 0) and versions."""

    def tag(self, tag: Tag) -> None:
        """Set it; the same name is overwritten. Conflict if there is no such version."""
        ...

    def untag(self, model: str, version: int, name: str) -> bool:
        """Take it away; False if it was not there."""
        ...

    def tags(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, str]]:
        """Name to value of each version (of each one in ``numbers``) that has tags; 0 is the model itself."""
        ...

    def describe(self, model: str, version: int, text: str, *, actor: str, at: datetime) -> None:
        """Set the description; an empty one takes it away."""
        ...

    def descriptions(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, str]: ...

    def tagged(self, name: str, value: str | None = None) -> list[tuple[str, int]]:
        """Model and version (0: the model) that bear the tag."""
        ...


class MeasureRepository(Protocol):
    """What figures from service add up to, hour by hour."""

    def add(self, model: str, action: RecordFigure, *, decision: int) -> None:
        """Add one figure to the hour that it is of."""
        ...

    def of(self, model: str, version: int, metric: str) -> list[WindowSums]:
        """The sums of each hour that has figures, oldest first; ``index`` is the hour since 1970."""
        ...
