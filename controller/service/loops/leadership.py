"""Of several controllers on one database one leads; the others stand by and take over when it falls silent.

Leading is a lease with a fence. The leader renews it well before it runs out; whoever stands by looks often whether
it is free. What the leader writes goes through a :class:`LedStore`: the last statement of each of its transactions
asks the database for the lease, with the fence that it was won with and time left by the database's own clock, and
locks it until the commit. So a controller that was stopped for a minute and wakes up in the middle of a transaction
commits nothing, and nobody takes the lead between the question and the commit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from controller.crashpoints import reach
from controller.domain.errors import Fenced, IncumbentError
from controller.ports import LEAD, ControllerRow, Lease, Store, Transaction

log = logging.getLogger(__name__)

STAND_BY = 0.2
"""Seconds between two looks of a controller that stands by: a lead that was given up is taken within them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadershipConfig:
    """``ttl``: after so long without a sign of life the lead is free. ``timer`` is a monotonic clock in seconds."""

    ttl: timedelta = timedelta(seconds=5)
    timer: Callable[[], float] = time.monotonic


class Leadership:
    """One controller's part in it. ``run_once`` belongs on a beat of :data:`STAND_BY`."""

    def __init__(
        self, store: Store, me: ControllerRow, config: LeadershipConfig | None = None
    ) -> None:
        self._store = store
        self._me = me
        self._config = config or LeadershipConfig()
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._until = 0.0
        self._renew_at = 0.0
        self._show_at = 0.0
        self._resigned = False

    @property
    def leads(self) -> bool:
        """Whether this controller leads, as far as it can tell without asking: the database has the last word."""
        return self._lease is not None and self._config.timer() < self._until

    @property
    def lease(self) -> Lease:
        """The lease that writes are fenced by; Fenced if this controller does not lead."""
        lease = self._lease
        if lease is None or not self.leads:
            raise Fenced("This controller does not lead; another one decides.")
        return lease

    def run_once(self) -> int:
        """Renew the lead, or take it where it is free; 1 if it was won just now."""
        with self._lock:
            now = self._config.timer()
            if self._resigned:
                return 0
            self._show(now)
            if now < self._renew_at:
                return 0
            return self._hold(now)

    def resign(self) -> None:
        """Give the lead up, at once and for good; whoever stands by need not wait for it to run out."""
        with self._lock:
            self._resigned = True
            lease, self._lease = self._lease, None
            try:
                with self._store.begin() as tx:
                    if lease is not None:
                        tx.leases.release(lease)
                    tx.controllers.leave(self._me.owner)
            except IncumbentError as error:  # then it runs out by itself
                log.warning("lead not given up", extra={"action": "resign", "why": str(error)})

    def _hold(self, now: float) -> int:
        before = self._lease
        if before is None and self._taken():
            return 0
        with self._store.begin() as tx:
            lease = tx.leases.acquire(LEAD, self._me.owner, self._config.ttl)
        # What counts is when the question was asked: the database may have answered at once and been heard late.
        self._lease, self._until = lease, now + self._config.ttl.total_seconds()
        self._renew_at = now + self._config.ttl.total_seconds() / 4 if lease else 0.0
        if lease is None:
            if before is not None:
                log.warning("another controller leads now", extra={"action": "lead_lost"})
            return 0
        if lease == before:
            return 0
        log.info(
            "this controller leads",
            extra={"action": "lead_won", "owner": self._me.owner, "fence": lease.fence},
        )
        reach("lead-won")
        return 1

    def _taken(self) -> bool:
        """Read first: standing by should block no writer."""
        with self._store.read() as tx:
            return tx.leases.holder(LEAD) not in {None, self._me.owner}

    def _show(self, now: float) -> None:
        if now >= self._show_at:
            with self._store.begin() as tx:
                tx.controllers.beat(self._me)
            self._show_at = now + self._config.ttl.total_seconds() / 2


class LedStore:
    """The database as a controller's loops see it: what they write counts only while their controller leads."""

    def __init__(self, store: Store, leadership: Leadership) -> None:
        self._store = store
        self._leadership = leadership

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction that commits only if the lead that it began with is still held; Fenced otherwise."""
        lease = self._leadership.lease
        with self._store.begin() as tx:
            yield tx
            tx.leases.check(lease)

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Transaction]:
        """Reading harms nobody."""
        with self._store.read(snapshot=snapshot) as tx:
            yield tx

    def close(self) -> None:
        """Close the store below."""
        self._store.close()


_SILENT = timedelta(seconds=30)
"""A controller shows a sign of life every few seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    """Who leads, and who lives beside it, for ``status`` and ``doctor``."""

    leader: ControllerRow | None
    others: tuple[ControllerRow, ...] = ()

    def sentence(self) -> str:
        """Who leads, who stands by, and whether they run the same code."""
        if self.leader is None:
            return "none leads."
        beside = ", ".join(map(_named, self.others))
        said = f"{_named(self.leader)} leads" + (f"; {beside} stands by" if beside else "")
        versions = {row.version for row in (self.leader, *self.others)}
        return said + (f"; versions {' and '.join(sorted(versions))}" if len(versions) > 1 else "")


def who_leads(tx: Transaction) -> Lead:
    """The controllers of a database that several may share; an embedded one has none in its book."""
    owner = tx.leases.holder(LEAD)
    rows = tx.controllers.all()
    newest = max((row.seen_at for row in rows if row.seen_at), default=None)
    alive = [row for row in rows if newest and row.seen_at and newest - row.seen_at < _SILENT]
    leader = next((row for row in rows if row.owner == owner), None)
    return Lead(leader=leader, others=tuple(row for row in alive if row.owner != owner))


def _named(row: ControllerRow) -> str:
    return f"{row.host}:{row.pid}"
