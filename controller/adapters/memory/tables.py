"""What the memory store holds. A transaction works on a fork; committing puts the fork in the place of the original.

Rows are frozen values, and a table copies its dictionary when a fork first writes to it, so what a reader holds
never changes under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Generic, TypeVar

from controller.domain.canonical import GENESIS
from controller.domain.catalog import CatalogModel, CatalogVersion
from controller.domain.decisions import DecisionRecord
from controller.domain.evidence import Evaluation
from controller.domain.publication import Publication, Sent
from controller.domain.records import WindowSums
from controller.domain.runs import Run
from controller.domain.signals import Signal
from controller.domain.snapshot import ApprovalView
from controller.domain.use import Alias, AliasMove, Consumer, Keep, Removal
from controller.domain.versions import Reign, Version, VersionFact
from controller.ports import (
    ActiveRules,
    Batch,
    Comment,
    ControllerRow,
    Delegation,
    Delivery,
    JournalLine,
    Letter,
    ModelState,
    ReviewRecord,
    Silence,
    SourceState,
    Tag,
    Token,
    WorkerRow,
)

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A dictionary that forks cheaply."""

    def __init__(self) -> None:
        self._rows: dict[K, V] = {}
        self._shared = False

    def fork(self) -> Table[K, V]:
        """A table with the same rows; writing to it leaves this one alone."""
        twin: Table[K, V] = Table()
        twin._rows = self._rows
        twin._shared = True
        return twin

    def _own(self) -> dict[K, V]:
        if self._shared:
            self._rows = dict(self._rows)
            self._shared = False
        return self._rows

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def get(self, key: K) -> V | None:
        """The row, None if there is none."""
        return self._rows.get(key)

    def __setitem__(self, key: K, row: V) -> None:
        self._own()[key] = row

    def pop(self, key: K) -> V | None:
        """Take the row out."""
        return self._own().pop(key, None)

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def values(self) -> list[V]:
        """All rows in order of entry."""
        return list(self._rows.values())

    def newest(self) -> Iterator[V]:
        """All rows, the last entered first."""
        return iter(reversed(self._rows.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldLease:
    """A lease as it is kept: ``until`` is a time of the store's clock."""

    owner: str
    fence: int
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptLetter:
    """A letter of the outbox; an acknowledged one stays, so that its key is known."""

    letter: Letter
    acknowledged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeRow:
    """A free model with its versions by number; ``next_version`` is never given back."""

    model: CatalogModel
    versions: Mapping[int, CatalogVersion] = field(default_factory=dict)
    next_version: int = 1


@dataclass(kw_only=True, slots=True)
class Tables:
    """Every table. Keys: ids, names, or (model, number)."""

    signals: Table[int, Signal] = field(default_factory=Table)
    signal_keys: Table[tuple[str, str], tuple[int, ...]] = field(default_factory=Table)
    """Of each model and key, its signals, oldest first."""
    waiting: Table[str, tuple[int, ...]] = field(default_factory=Table)
    """Of each model, the signals that have not ended, oldest first."""
    decisions: Table[int, DecisionRecord] = field(default_factory=Table)
    verdicts: Table[int, str] = field(default_factory=Table)
    models: Table[str, ModelState] = field(default_factory=Table)
    versions: Table[tuple[str, int], Version] = field(default_factory=Table)
    version_runs: Table[str, None] = field(default_factory=Table)
    """Runs that have brought a version."""
    facts: Table[int, VersionFact] = field(default_factory=Table)
    evaluations: Table[tuple[str, int], Evaluation] = field(default_factory=Table)
    reigns: Table[str, tuple[Reign, ...]] = field(default_factory=Table)
    approvals: Table[str, tuple[ApprovalView, ...]] = field(default_factory=Table)
    runs: Table[str, Run] = field(default_factory=Table)
    unended: Table[str, None] = field(default_factory=Table)
    letters: Table[int, KeptLetter] = field(default_factory=Table)
    letter_keys: Table[tuple[str, str], int] = field(default_factory=Table)
    undelivered: Table[int, None] = field(default_factory=Table)
    leases: Table[str, HeldLease] = field(default_factory=Table)
    batches: Table[str, tuple[Batch, ...]] = field(default_factory=Table)
    cursors: Table[str, str] = field(default_factory=Table)
    schedules: Table[tuple[str, str], tuple[datetime, str]] = field(default_factory=Table)
    rules: Table[str, ActiveRules] = field(default_factory=Table)
    texts: Table[str, str] = field(default_factory=Table)
    sources: Table[str, SourceState] = field(default_factory=Table)
    hints: Table[str, datetime] = field(default_factory=Table)
    reviews: Table[str, ReviewRecord] = field(default_factory=Table)
    journals: Table[str, tuple[JournalLine, ...]] = field(default_factory=Table)
    workers: Table[str, WorkerRow] = field(default_factory=Table)
    tokens: Table[int, Token] = field(default_factory=Table)
    nonces: Table[tuple[str, str], datetime] = field(default_factory=Table)
    delegations: Table[int, Delegation] = field(default_factory=Table)
    comments: Table[str, Comment] = field(default_factory=Table)
    covered_comments: Table[int, int] = field(default_factory=Table)
    """Comment -> the decision whose record covers it."""
    anchored: Table[str, tuple[int, str]] = field(default_factory=Table)
    """One row, called ``newest``."""
    deliveries: Table[int, Delivery] = field(default_factory=Table)
    silences: Table[int, Silence] = field(default_factory=Table)
    controllers: Table[str, ControllerRow] = field(default_factory=Table)
    counters: Table[str, int] = field(default_factory=Table)
    publications: Table[str, Publication] = field(default_factory=Table)
    published: Table[str, Mapping[int, Sent]] = field(default_factory=Table)
    free: Table[str, FreeRow] = field(default_factory=Table)
    free_numbers: Table[str, int] = field(default_factory=Table)
    """The next version of names that are free again."""
    aliases: Table[tuple[str, str], Alias] = field(default_factory=Table)
    alias_moves: Table[int, AliasMove] = field(default_factory=Table)
    consumers: Table[tuple[str, str, int], Consumer] = field(default_factory=Table)
    keeps: Table[int, Keep] = field(default_factory=Table)
    removals: Table[tuple[str, int], Removal] = field(default_factory=Table)
    measures: Table[tuple[str, int, str], tuple[WindowSums, ...]] = field(default_factory=Table)
    tags: Table[tuple[str, int, str], Tag] = field(default_factory=Table)
    descriptions: Table[tuple[str, int], str] = field(default_factory=Table)
    touched_seats: set[str] = field(default_factory=set)
    """Models whose champion left or came in this transaction."""

    def fork(self) -> Tables:
        """A copy to work on."""
        names = (f.name for f in fields(self) if f.name != "touched_seats")
        return Tables(**{name: getattr(self, name).fork() for name in names})

    def head(self) -> tuple[int, str]:
        """Id and hash of the newest decision."""
        newest = self.decisions.get(len(self.decisions))
        return (newest.id, newest.hash) if newest else (0, GENESIS)
