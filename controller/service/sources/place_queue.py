"""Which source is looked at next: fair, and without walking over those whose time has not come.

A source that was hinted goes before those whose time has come, and every fourth turn is theirs: a folder in which
files never cease to arrive starves nobody. Among equals the one that has waited longest goes first.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from controller.service.sources.looks import Place

_OTHERS_TURN = 4
"""Every turn of this number goes to a source that nobody hinted, where one waits."""


Lane = tuple[bool, bool]
"""Whether a place is slow, and whether it was never looked at. Neither changes while the place waits."""


class PlaceQueue:
    """May be used from several threads. A place is waiting, due, or taken until :meth:`put` gives it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._later: list[tuple[float, int, Place]] = []
        self._entry: dict[Place, int] = {}
        # By lane: places of one lane may be begun or may not, so that only the first of each is asked about.
        self._due: dict[Lane, dict[Place, None]] = {}
        self._hinted: dict[Lane, dict[Place, None]] = {}
        self._taken: dict[Place, bool] = {}
        self._numbers = itertools.count()
        self._turn = 0

    def put(self, place: Place, at: float) -> None:
        """Look at ``place`` at ``at`` (seconds of the timer); at once if a hint came while it was taken."""
        with self._lock:
            hinted = self._taken.pop(place, False)
            self._forget(place)
            if hinted:
                _line(self._hinted, place)[place] = None
                return
            number = self._entry[place] = next(self._numbers)
            heapq.heappush(self._later, (at, number, place))

    def hint(self, place: Place) -> None:
        """Look at it before the others; if it is taken, once more."""
        with self._lock:
            if place in self._taken:
                self._taken[place] = True
            elif place not in (line := _line(self._hinted, place)):
                self._forget(place)
                line[place] = None

    def drop(self, place: Place) -> None:
        """Nobody asks for it any more."""
        with self._lock:
            self._taken.pop(place, None)
            self._forget(place)

    def take(self, now: float, may: Callable[[Place], bool]) -> Place | None:
        """The next that is due and ``may`` be begun; places of one lane get the same answer."""
        with self._lock:
            self._ripen(now)
            others = self._turn % _OTHERS_TURN == _OTHERS_TURN - 1
            order = (self._due, self._hinted) if others else (self._hinted, self._due)
            for lines in order:
                for line in lines.values():
                    place = next(iter(line), None)
                    if place is not None and may(place):
                        del line[place]
                        self._taken[place] = False
                        self._turn += 1
                        return place
        return None

    def has(self, now: float, may: Callable[[Place], bool]) -> bool:
        """Whether :meth:`take` would find one."""
        with self._lock:
            self._ripen(now)
            lines = [*self._hinted.values(), *self._due.values()]
            return any(may(next(iter(line))) for line in lines if line)

    def next_at(self, now: float) -> float | None:
        """When the next look is due; ``now`` if one is; None if nothing waits."""
        with self._lock:
            self._ripen(now)
            if any(self._due.values()) or any(self._hinted.values()):
                return now
            return self._later[0][0] if self._later else None

    def _forget(self, place: Place) -> None:
        self._entry.pop(place, None)
        for line in (*self._due.values(), *self._hinted.values()):
            line.pop(place, None)

    def _ripen(self, now: float) -> None:
        """Move those whose time has come to the due ones, and lose what was put elsewhere meanwhile."""
        while self._later:
            at, number, place = self._later[0]
            current = self._entry.get(place) == number
            if current and at > now:
                return
            heapq.heappop(self._later)
            if current:
                del self._entry[place]
                _line(self._due, place)[place] = None


def _line(lines: dict[Lane, dict[Place, None]], place: Place) -> dict[Place, None]:
    return lines.setdefault((place.is_slow, place.state is None), {})
