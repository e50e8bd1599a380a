"""Looks at sources, each in a thread of its own, so that one that hangs delays only those who read it.

A look has one of a few places. One that takes long gives its place up and goes on beside the others, and from then on
its source is begun in the places for slow ones: a hundred folders of a dead server cost the healthy ones a moment once.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.errors import IncumbentError
from controller.domain.rules import SourceKey
from controller.ports import DataSource, Poll, SourceState
from controller.service.rules.active import InForce

log = logging.getLogger(__name__)

OpenSource = Callable[[SourceKey], DataSource]
"""From where rows are read, and how, to the source; raises ConfigurationError if the address means nothing."""


@dataclass(slots=True)
class Reader:
    """A model that reads a place. ``cursor`` is where it goes on, as far as that is ``known`` without the store."""

    item: InForce
    cursor: str | None = None
    known: bool = False


@dataclass(slots=True, eq=False)
class Place:
    """Where data arrive, with its rhythm: shared by all models that read it the same way."""

    key: SourceKey
    readers: dict[str, Reader] = field(default_factory=dict)
    source: DataSource | None = None
    pause: float = 0.0
    failures: int = 0
    is_slow: bool = False
    state: SourceState | None = None

    @property
    def name(self) -> str:
        """The model under whose name its health is kept: the first by name."""
        return min(self.readers)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Local folders in which a change means: look now."""
        return tuple(getattr(self.source, "roots", ()))


@dataclass(slots=True, eq=False)
class Look:
    """One look at a place, under way in a thread: one poll for each cursor that its readers have."""

    place: Place
    cursors: Mapping[str, str | None]
    """Where each reader goes on, by model."""
    began: float
    polls: dict[str | None, Poll] = field(default_factory=dict)
    error: str = ""
    took: float | None = None
    overdue: bool = False
    late: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LookConfig:
    """``at_once`` looks at quick sources and ``slow_at_once`` at slow ones are under way at the same time.

    While there are ``most`` of them in all (they hang), only sources are begun that have answered before.

    ``slow_after`` and ``timeout`` are in seconds of ``timer``, which is monotonic.
    """

    at_once: int = 8
    slow_at_once: int = 32
    most: int = 256
    slow_after: float = 1.0
    timeout: float = 120.0
    timer: Callable[[], float] = time.monotonic


class Looks:
    """The looks under way. ``wake`` is called when one ends that nobody waits for any more."""

    def __init__(
        self,
        open_source: Callable[[Place], DataSource],
        config: LookConfig,
        wake: Callable[[], None],
    ) -> None:
        self._open = open_source
        self._config = config
        self._wake = wake
        self._under_way: dict[Look, None] = {}
        self._ended: queue.SimpleQueue[Look] = queue.SimpleQueue()

    def may_begin(self, place: Place) -> bool:
        """Whether there is room for a look at ``place``."""
        if place.state is None and len(self._under_way) >= self._config.most:
            return False  # it may hang too
        quick = sum(not look.place.is_slow for look in self._under_way)
        slow = sum(look.place.is_slow and not look.overdue for look in self._under_way)
        if place.is_slow:
            return slow < self._config.slow_at_once
        return quick < self._config.at_once

    def begin(self, place: Place, cursors: Mapping[str, str | None]) -> Look:
        """Look at it in a thread."""
        look = Look(place=place, cursors=cursors, began=self._config.timer())
        self._under_way[look] = None
        name = f"poll-{place.key.address}"
        threading.Thread(target=self._run, args=(look,), name=name, daemon=True).start()
        return look

    def ended(self, begun: Iterable[Look], patience: float) -> list[Look]:
        """What has ended; waits up to ``patience`` seconds for those that were ``begun`` just now."""
        waited, found = set(begun), []
        until = time.monotonic() + patience
        while True:
            left = until - time.monotonic()
            try:
                look = (
                    self._ended.get(timeout=max(0.0, left)) if waited else self._ended.get_nowait()
                )
            except queue.Empty:
                break
            found.append(look)
            waited.discard(look)
            del self._under_way[look]
            look.place.is_slow = (look.took or 0.0) >= self._config.slow_after
        for look in waited:
            look.late = True
        return found

    def overdue(self) -> list[Look]:
        """Those that have just become so. Their threads cannot be stopped: they are left alone, and no second one
        is begun beside them.
        """
        now, found = self._config.timer(), []
        for look in self._under_way:
            took = now - look.began
            if took >= self._config.slow_after:
                look.place.is_slow = True
            if took >= self._config.timeout and not look.overdue:
                look.overdue = True
                found.append(look)
        return found

    @property
    def some_ended(self) -> bool:
        """Whether a look has ended that was not asked for yet."""
        return not self._ended.empty()

    def _run(self, look: Look) -> None:
        place = look.place
        try:
            if place.source is None:
                place.source = self._open(place)
            for cursor in distinct(look.cursors.values()):
                look.polls[cursor] = place.source.poll(cursor)
        except IncumbentError as error:
            look.error = error.sentence()
        except Exception as error:
            # A library's surprise is the source's problem, never the end of the loop.
            look.error = f"the source failed: {type(error).__name__}: {error}."
            log.exception("source failed", extra={"action": "source"})
        finally:
            look.took = self._config.timer() - look.began
            self._ended.put(look)
            if look.late:
                self._wake()


def distinct(cursors: Collection[str | None]) -> list[str | None]:
    """Each cursor once, in the order given."""
    return list(dict.fromkeys(cursors))
