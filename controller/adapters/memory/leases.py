"""Leases in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from controller.adapters.memory.tables import HeldLease, Tables
from controller.domain.errors import Fenced
from controller.ports import FARTHEST, Lease


class MemoryLeases:
    """Leases by name; ``now`` is the store's clock."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        held = self._tables.leases.get(name)
        lives = held is not None and self._now < held.until <= self._now + FARTHEST
        if held is not None and lives and held.owner != owner:
            return None
        before = held.fence if held is not None else 0
        fence = before if lives else before + 1
        self._tables.leases[name] = HeldLease(owner=owner, fence=fence, until=self._now + ttl)
        return Lease(name=name, owner=owner, fence=fence)

    def check(self, lease: Lease) -> None:
        held = self._tables.leases.get(lease.name)
        if held is None or (held.owner, held.fence) != (lease.owner, lease.fence):
            raise Fenced(f"The lease on {lease.name} has gone to somebody else.")
        if held.until <= self._now:
            raise Fenced(f"The lease on {lease.name} has run out.")

    def release(self, lease: Lease) -> None:
        held = self._tables.leases.get(lease.name)
        if held is not None and (held.owner, held.fence) == (lease.owner, lease.fence):
            self._tables.leases[lease.name] = HeldLease(owner="", fence=held.fence, until=self._now)

    def holder(self, name: str) -> str | None:
        held = self._tables.leases.get(name)
        lives = held is not None and self._now < held.until <= self._now + FARTHEST
        return held.owner if held is not None and lives else None
