"""Exclusive rights that run out by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

FARTHEST = timedelta(hours=1)
"""No lease and no pause of a letter is longer; what lies farther ahead was written by a clock that was wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to act on ``name`` until it runs out; ``fence`` rises with each new holder."""

    name: str
    owner: str
    fence: int


class Leases(Protocol):
    """Exclusive rights that run out by themselves, with fencing."""

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        """Take a free or run-out lease, or renew one's own (same fence)."""
        ...

    def check(self, lease: Lease) -> None:
        """Raise :class:`~controller.domain.errors.Fenced` unless the lease is held and has time left."""
        ...

    def release(self, lease: Lease) -> None: ...

    def holder(self, name: str) -> str | None:
        """Who holds it now, None if nobody does."""
        ...
