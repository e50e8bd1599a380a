"""Watches a process for those outside: reads when asked, never makes them wait, and says how old its answer is.

An outage of the database is when people look. So every question is answered from memory; a thread of its own asks the
database anew where the answer is old, and whoever asks waits for it only for a moment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from controller.domain.errors import IncumbentError
from controller.ports import Clock, Store
from controller.service.loops.loop import Health
from controller.service.loops.readiness import Condition
from controller.service.observe.figures import FigureReader, ProcessFigures

log = logging.getLogger(__name__)
T = TypeVar("T")

STUCK = timedelta(minutes=30)
"""A round that lasts longer will not end by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LastReading(Generic[T]):
    """What was read last, how many seconds ago, and the sentence why the newest try failed (empty: it did not)."""

    value: T
    age: float
    problem: str = ""


class _Fresh(Generic[T]):
    """A value that a thread of its own renews when it is asked for and old."""

    def __init__(self, read: Callable[[], T], empty: T, fresh: float, patience: float) -> None:
        self._read, self._fresh, self._patience = read, fresh, patience
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._busy = False
        self._value, self._at, self._problem = empty, float("-inf"), "not read yet"

    def get(self) -> LastReading[T]:
        with self._lock:
            if not self._busy and time.monotonic() - self._at >= self._fresh:
                self._busy = True
                self._done.clear()
                threading.Thread(target=self._renew, name="observe", daemon=True).start()
            done = self._done
        done.wait(self._patience)
        with self._lock:
            late = self._busy and time.monotonic() - self._at >= self._fresh + self._patience
            problem = self._problem or ("the database does not answer" if late else "")
            return LastReading(value=self._value, age=time.monotonic() - self._at, problem=problem)

    def _renew(self) -> None:
        problem = ""
        try:
            value = self._read()
        except IncumbentError as error:
            problem = error.sentence()
        except Exception as error:
            log.exception("figures cannot be read", extra={"action": "observe"})
            problem = f"{type(error).__name__}; the log says more"  # its text may quote anything
        with self._lock:
            self._problem = problem
            if not problem:
                self._value, self._at = value, time.monotonic()
            self._busy = False
            self._done.set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """What of this process is watched besides its database. ``leads`` is None where nobody competes."""

    conditions: Callable[[], Sequence[Condition]] = tuple
    loops: Callable[[], Sequence[Health]] | None = None
    leads: Callable[[], bool] | None = None


class Observer:
    """What one process tells of itself and of the system. ``fresh``: seconds that an answer is good for."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        watching: Watching | None = None,
        *,
        fresh: float = 5.0,
        patience: float = 2.0,
    ) -> None:
        self._store, self._clock = store, clock
        self._watching = watching or Watching()
        self._reader = FigureReader()
        self._figures: _Fresh[ProcessFigures] = _Fresh(
            self._read, ProcessFigures(), fresh, patience
        )
        self._conditions: _Fresh[Sequence[Condition]] = _Fresh(
            self._watching.conditions, (), fresh, patience
        )
        self._hear: list[Callable[[ProcessFigures], None]] = []

    def on_figures(self, hear: Callable[[ProcessFigures], None]) -> None:
        """Call ``hear`` with each new reading, in order: histograms add up what ended."""
        self._hear.append(hear)

    def figures(self) -> LastReading[ProcessFigures]:
        """The figures, at most a moment old where the database answers."""
        return self._figures.get()

    def conditions(self) -> list[Condition]:
        """Whether the process can do its work now, by name."""
        seen = self._conditions.get()
        if seen.problem:
            return [Condition(name="database", ok=False, sentence=seen.problem)]
        return list(seen.value)

    def loops(self) -> list[Health]:
        """How the loops of this process fare; none where it has none."""
        return list(self._watching.loops()) if self._watching.loops is not None else []

    def leads(self) -> bool | None:
        """Whether this controller decides; None where it is not one of several."""
        return None if self._watching.leads is None else self._watching.leads()

    def stuck(self) -> list[str]:
        """Loops whose present round lasts so long that only a restart helps."""
        return [one.name for one in self.loops() if one.busy_for > STUCK.total_seconds()]

    def _read(self) -> ProcessFigures:
        with self._store.read() as tx:
            found = self._reader.read(tx, self._clock.now())
        for hear in self._hear:
            hear(found)
        return found
