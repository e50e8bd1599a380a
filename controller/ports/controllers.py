"""The controllers of one database, which of them leads, and what they and the workers count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LEAD = "controller"
"""The lease of the controller that leads: the others stand by."""

FORGOTTEN = timedelta(days=1)
"""A controller that was silent for so long is no news any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerRow:
    """A controller that has announced itself. ``owner`` is how it signs leases: no two processes sign alike.

    ``seen_at`` is the store's clock at its last sign of life.
    """

    owner: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime | None = None


class ControllerRepository(Protocol):
    """Which controllers live. Who leads is a matter of the lease :data:`LEAD`, not of this book."""

    def beat(self, controller: ControllerRow) -> None:
        """A sign of life: ``seen_at`` becomes the store's present."""
        ...

    def leave(self, owner: str) -> None:
        """It ended in order."""
        ...

    def all(self) -> list[ControllerRow]:
        """By owner; those silent for a day are left out and forgotten with the next sign of life of another."""
        ...


class Counters(Protocol):
    """Numbers that only rise: what was seen and had no effect, and what had to be repaired."""

    def add(self, name: str, by: int = 1) -> None: ...

    def all(self) -> Mapping[str, int]:
        """Every counter that was ever added to, by name."""
        ...
