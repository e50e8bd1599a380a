"""Ports that fail as the world does: crashes around every commit and ring, commits whose outcome nobody is told, lost,
doubled, late and reordered messages, and processes that are stopped for a while between two calls.

A crash is a :class:`Crashed`, which nothing of ours may catch. Before each call of a port the world may let somebody
else take a step, so that every interleaving of transactions can come up, in one thread and by the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Protocol

from controller.domain.errors import Unavailable
from controller.ports import LEAD, Store, Transaction


class Crashed(BaseException):
    """The process that ran this is gone."""


@dataclass
class Chances:
    """How often each fault strikes; all zero when the faults stop."""

    crash: float = 0.02
    freeze: float = 0.10
    preempt: float = 0.25
    lose: float = 0.15
    double: float = 0.10
    late: float = 0.20
    broken: float = 0.05
    unknown: float = 0.01
    """The commit happened, and the answer got lost: the caller hears that the database is away."""
    refused: float = 0.01
    """The database is away before the commit: nothing of it happened."""
    nap: float = 0.01
    """A controller is stopped for a while in the middle of its work, and does not know it."""

    @staticmethod
    def none() -> Chances:
        """A world in which nothing goes wrong any more."""
        return Chances(**dict.fromkeys(Chances.__dataclass_fields__, 0.0))


class Preempt(Protocol):
    """Lets somebody else take a step."""

    def __call__(self) -> None: ...


@dataclass
class Surroundings:
    """What a port does beside failing: it lets others take a step, or its caller sleep without knowing."""

    rng: Random
    chances: Chances
    preempt: Preempt
    nap: Preempt

    def strikes(self, chance: float) -> bool:
        """Whether a fault of this chance happens now."""
        return self.rng.random() < chance

    def crash(self) -> None:
        """The process may die here."""
        if self.strikes(self.chances.crash):
            raise Crashed


class FaultyStore:
    """A store whose caller may die before or after every commit, or never be told what became of it.

    Of a controller (``leader`` is its name) that others may succeed, every commit is held against who leads: what
    the store finds is kept in ``trespasses``, since whoever commits would take an exception for a fault.
    """

    def __init__(self, store: Store, around: Surroundings, leader: str = "") -> None:
        self._store = store
        self._around = around
        self._leader = leader
        self.trespasses: list[str] = []

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        around = self._around
        around.preempt()
        if self._leader and around.strikes(around.chances.nap):
            around.nap()
        around.crash()
        with self._store.begin() as tx:
            yield tx
            around.crash()  # before the commit: nothing of it happened
            if around.strikes(around.chances.refused):
                raise Unavailable("the database does not answer")
            if self._leader and tx.leases.holder(LEAD) != self._leader:
                self.trespasses.append(f"{self._leader} commits and {tx.leases.holder(LEAD)} leads")
        around.crash()  # after it: all of it happened, and nobody was told
        if around.strikes(around.chances.unknown):
            raise Unavailable("the database was heard no more after the commit had been sent")
        around.preempt()

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Transaction]:
        with self._store.read(snapshot=snapshot) as tx:
            yield tx
        self._around.preempt()

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class Message:
    """A doorbell under way; ``due`` is the step at which it may be heard."""

    run: str
    fence: int
    due: int


class FaultyBroker:
    """Implements the dispatcher: loses, doubles, delays and reorders, and forgets everything now and then."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.step = 0
        self._lost = False
        self._messages: list[Message] = []

    def ring(
        self,
        run: str,
        fence: int,
        *,
        queue: str,
        expires: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        del queue, expires
        around, chances = self._around, self._around.chances
        around.preempt()
        around.crash()
        if around.strikes(chances.broken):
            raise Unavailable("the broker is away")
        copies = 0 if around.strikes(chances.lose) else 1
        copies += around.strikes(chances.double)
        for _ in range(copies):
            late = around.rng.randrange(60) if around.strikes(chances.late) else 0
            self._messages.append(Message(run, fence, self.step + late))
        around.preempt()

    def hear(self) -> Message | None:
        """Any message that is due, in no order."""
        due = [m for m in self._messages if m.due <= self.step]
        if not due:
            return None
        chosen = self._around.rng.choice(due)
        self._messages.remove(chosen)
        return chosen

    def forget(self) -> None:
        """FLUSHALL in the middle of the night."""
        self._messages.clear()
        self._lost = True

    def forgot(self) -> bool:
        lost, self._lost = self._lost, False
        return lost

    def close(self) -> None:
        """There is nothing to close."""
