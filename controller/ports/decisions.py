"""The decision log: append-only and chained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.decisions import DecisionRecord, RulesRef
from controller.ports.query import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDecision:
    """A decision before it has an id and a hash. ``snapshot`` and ``decision`` are canonical JSON texts."""

    model: str
    decided_at: datetime
    rules: RulesRef
    snapshot: str
    decision: str
    actor: str = "system"


class DecisionLog(Protocol):
    """Append-only, hash-chained. ``record`` numbers decisions 1, 2, 3 … without gaps."""

    def record(self, decision: NewDecision) -> DecisionRecord: ...

    def get(self, decision: int) -> DecisionRecord | None: ...

    def find(self, query: Query) -> list[DecisionRecord]: ...

    def head(self) -> tuple[int, str]:
        """Id and hash of the newest record; (0, GENESIS) when there is none."""
        ...

    def walk(self, start: int = 1, model: str | None = None) -> Iterator[DecisionRecord]:
        """All records from ``start`` on, oldest first, without loading them at once."""
        ...

    def anchored(self) -> tuple[int, str] | None:
        """Number and hash of the newest decision that an anchor was made of; None if none ever was."""
        ...

    def remember_anchor(self, decision: int, hash_: str) -> None:
        """Keep that an anchor names this decision. An earlier one than is kept changes nothing."""
        ...
