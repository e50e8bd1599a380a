"""Which models decide in one tick, and in which order: nobody waits for more than one turn of each of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from controller.ports import Store

TURN = 10
"""Decisions for one model before the next one gets its turn."""
TURNS = 10
"""Turns of one model in one tick; a guard against a policy that would keep the loop to itself."""


@dataclass(kw_only=True, slots=True)
class Tick:
    """What one tick has done so far. ``unfinished`` are those who want more, in the order of their turns."""

    now: datetime
    served: set[str] = field(default_factory=set)
    unfinished: dict[str, None] = field(default_factory=dict)
    decisions: int = 0
    conflicts: int = 0
    poisoned: int = 0


class Turns:
    """The order over ticks. ``most`` is how many models are looked up at once; a tick takes all that are due."""

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        self._last: datetime | None = None
        self._behind: dict[str, None] = {}
        """Models that wanted more than one turn, who had the last one longest ago first."""

    def first(self, now: datetime) -> list[str]:
        """Those with whom a tick begins."""
        due = self._look(now, set())
        if self._last is None or now < self._last:
            # At the start, and when the clock went back, what was put off was put off by another clock.
            with self._store.read() as tx:
                asleep = [s.model for s in tx.models.all() if s.wake_at is not None]
            due = list(dict.fromkeys([*due, *asleep]))
        self._last = now
        return due

    def others(self, tick: Tick, taken: int) -> list[str]:
        """Those beyond the last look, which gave ``taken`` models; empty where it gave all of them."""
        return self._look(tick.now, tick.served) if taken >= self._most else []

    def following(self, tick: Tick) -> list[str]:
        """Those who came meanwhile, then those who want more; empty where nobody does."""
        if not tick.unfinished:
            return []
        return [*self._look(tick.now, tick.served), *tick.unfinished]

    def begin(self, model: str, tick: Tick) -> None:
        """The model's turn begins."""
        tick.served.add(model)
        tick.unfinished.pop(model, None)
        self._behind.pop(model, None)

    def end(self, model: str, tick: Tick, decided: int) -> None:
        """So many decisions came of it."""
        tick.decisions += decided
        if decided >= TURN:
            tick.unfinished[model] = None
            self._behind[model] = None

    def _look(self, now: datetime, served: set[str]) -> list[str]:
        """Who else has something open. Of more than are taken at once those who had no turn yet, then the others."""
        most = self._most + len(self._behind) + len(served)
        with self._store.read() as tx:
            found = dict.fromkeys(
                model for model in tx.models.due(now, most) if model not in served
            )
        fresh = [model for model in found if model not in self._behind]
        return [*fresh, *(model for model in self._behind if model in found)][: self._most]
