"""The inbox: every signal once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.signals import NewSignal, Signal, SignalAnswer, SignalStatus
from controller.ports.query import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The inbox's answer: the signal's id, and whether it was new (False: the same identity was there before)."""

    id: int
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalProof:
    """A signal as it can be held against the log.

    ``digest`` covers what it says and its mark. ``problem`` is why its actor is not believed, empty where that is fine;
    ``unchecked``: its mark is by a key that this process does not hold.
    """

    id: int
    digest: str
    status: SignalStatus
    reason: str
    decision: int | None
    problem: str = ""
    unchecked: bool = False


class SignalInbox(Protocol):
    """Every signal once, in order of acceptance."""

    def append(self, signals: Sequence[NewSignal], at: datetime) -> list[Accepted]:
        """Accept each signal whose identity is not known yet. The order of answers is that of ``signals``."""
        ...

    def pending(self, model: str, limit: int = 1000) -> tuple[Signal, ...]:
        """The model's signals that have not ended, oldest first.

        Where there are more than ``limit``, what people said and how runs ended goes before what causes trainings:
        causes that wait for hours must not keep a rollback from being seen.
        """
        ...

    def answer(self, answers: Sequence[SignalAnswer], decision: int) -> None:
        """Write what a decision says to its signals. An ended signal is never answered again (Conflict)."""
        ...

    def get(self, signal: int) -> Signal | None: ...

    def with_key(self, model: str, key: str) -> tuple[Signal, ...]:
        """The model's signals of that key, oldest first: each of another kind or by another actor."""
        ...

    def find(self, query: Query) -> list[Signal]: ...

    def count_waiting(self, model: str | None = None) -> int:
        """How many signals of the model, or in all, have not ended (the inbox's depth)."""
        ...

    def proofs(self, numbers: Collection[int]) -> list[SignalProof]:
        """What shows that these signals are as they were; those that do not exist are left out."""
        ...
