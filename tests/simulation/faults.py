"""Ports that fail as the world does: crashes around every commit and ring, lost, doubled, late and reordered messages.

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

from controller.adapters.memory import MemoryStore
from controller.domain.errors import Unavailable
from controller.ports import Transaction


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

    @staticmethod
    def none() -> Chances:
        """A world in which nothing goes wrong any more."""
        return Chances(crash=0, freeze=0, preempt=0, lose=0, double=0, late=0, broken=0)


class Preempt(Protocol):
    """Lets somebody else take a step."""

    def __call__(self) -> None: ...


class FaultyStore:
    """A store whose caller may die before or after every commit."""

    def __init__(self, store: MemoryStore, rng: Random, chances: Chances, preempt: Preempt) -> None:
        self._store = store
        self._rng = rng
        self.chances = chances
        self._preempt = preempt

    def _crash(self) -> None:
        if self._rng.random() < self.chances.crash:
            raise Crashed

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        self._preempt()
        self._crash()
        with self._store.begin() as tx:
            yield tx
            self._crash()  # before the commit: nothing of it happened
        self._crash()  # after it: all of it happened, and nobody was told
        self._preempt()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._store.read() as tx:
            yield tx
        self._preempt()

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

    def __init__(self, rng: Random, chances: Chances, preempt: Preempt) -> None:
        self._rng = rng
        self.chances = chances
        self._preempt = preempt
        self.step = 0
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
        self._preempt()
        if self._rng.random() < self.chances.crash:
            raise Crashed
        if self._rng.random() < self.chances.broken:
            raise Unavailable("the broker is away")
        copies = 0 if self._rng.random() < self.chances.lose else 1
        copies += self._rng.random() < self.chances.double
        for _ in range(copies):
            late = self._rng.randrange(60) if self._rng.random() < self.chances.late else 0
            self._messages.append(Message(run, fence, self.step + late))
        self._preempt()

    def hear(self) -> Message | None:
        """Any message that is due, in no order."""
        due = [m for m in self._messages if m.due <= self.step]
        if not due:
            return None
        chosen = self._rng.choice(due)
        self._messages.remove(chosen)
        return chosen

    def forget(self) -> None:
        """FLUSHALL in the middle of the night."""
        self._messages.clear()

    def close(self) -> None:
        """There is nothing to close."""
