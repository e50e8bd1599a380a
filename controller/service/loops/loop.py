"""Runs the services over and over: APScheduler ticks, and a hint from outside brings the next tick forward.

Jobs only tick; what is due lives in the database. So a tick that is missed, coalesced or brought forward changes
nothing but the time it takes.

APScheduler goes by the wall clock. Were its own interval trigger used, a clock that is set a year forward would have
it count the ticks of a year, and one that is set an hour back would let it rest for an hour. So a beat here counts
from the present, and a watch by the monotonic clock brings a tick forward that lies farther ahead than its beat.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from controller.domain.errors import IncumbentError

log = logging.getLogger(__name__)

_WATCH = 1.0
"""Seconds between two looks at the beats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """One service on its beat.

    ``run_once`` returns how much it did; ``wakes`` names the loops that should look at once when it did something.
    ``has_more`` is asked after a good round: whether the next one should follow at once.
    """

    name: str
    every: float
    run_once: Callable[[], int]
    wakes: tuple[str, ...] = ()
    has_more: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a loop fares: seconds since its last good round, rounds so far, and the last error if it failed.

    ``failures`` counts rounds that ended in an error, ``seconds`` is the time spent in all of them, and ``busy_for``
    how long the present round has lasted.
    """

    name: str
    silent_for: float
    rounds: int
    error: str
    failures: int = 0
    seconds: float = 0.0
    busy_for: float = 0.0


class _Beat(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """The next tick is one beat from now, whatever the clock said at the last one."""

    def __init__(self, every: float) -> None:
        self._every = timedelta(seconds=every)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """For APScheduler."""
        del previous
        return now + self._every


class Loops:
    """All loops of a controller process. ``wake`` may be called from any thread."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = {loop.name: loop for loop in loops}
        self._good: dict[str, float] = {name: time.monotonic() for name in self._loops}
        self._rounds = dict.fromkeys(self._loops, 0)
        self._errors = dict.fromkeys(self._loops, "")
        self._failures = dict.fromkeys(self._loops, 0)
        self._seconds = dict.fromkeys(self._loops, 0.0)
        self._began: dict[str, float | None] = dict.fromkeys(self._loops)
        self._again: dict[str, threading.Event] = {name: threading.Event() for name in self._loops}
        self._rest = threading.Condition()
        self._at_work = 0
        self._stopping = False
        self._ended = threading.Event()
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(max(4, len(self._loops)))},
            timezone=UTC,
            # A tick carries nothing, so late ones become one and none is dropped for being late.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to tick, each loop at once."""
        # A loop that is still at work when its next tick comes is no news: the tick is not lost but needless.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for loop in self._loops.values():
            self._scheduler.add_job(
                self._round,
                _Beat(loop.every),
                args=[loop],
                id=loop.name,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.start()
        threading.Thread(target=self._watch, name="watch-beats", daemon=True).start()

    def stop(self, patience: float | None = None) -> bool:
        """Tick no more, and let running rounds end: for ``patience`` seconds, or as long as it takes.

        Whether they have ended. It may be called again.
        """
        with self._rest:
            self._stopping = True
        self._ended.set()
        if self._scheduler.running:
            # It must not wait itself: it would hold the lock that a round needs to wake another loop.
            self._scheduler.shutdown(wait=False)
        with self._rest:
            return self._rest.wait_for(lambda: self._at_work == 0, patience)

    def wake(self, *names: str) -> None:
        """Have these loops look now. One that is at work looks once more when it is done."""
        for name in names:
            self._again[name].set()
            self._now(name)

    def health(self) -> list[Health]:
        """How each loop fares."""
        now = time.monotonic()
        return [
            Health(
                name=name,
                silent_for=now - self._good[name],
                rounds=self._rounds[name],
                error=self._errors[name],
                failures=self._failures[name],
                seconds=self._seconds[name],
                busy_for=now - began if (began := self._began[name]) is not None else 0.0,
            )
            for name in self._loops
        ]

    def _watch(self) -> None:
        """A clock that was set back leaves ticks in the far future: bring them forward."""
        while not self._ended.wait(_WATCH):
            jobs = self._scheduler.get_jobs()
            now = datetime.now(
                UTC
            )  # after them: what was planned meanwhile is no sign of a clock that went back
            for job in jobs:
                due = job.next_run_time
                most = timedelta(seconds=self._loops[job.id].every + _WATCH)
                if due is not None and due - now > most:
                    log.warning("the clock went back", extra={"action": "beat", "loop": job.id})
                    self._now(job.id)

    def _now(self, name: str) -> None:
        if self._stopping:
            return
        try:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))
        except JobLookupError:
            log.debug("not started yet", extra={"action": "wake", "loop": name})

    def _round(self, loop: Loop) -> None:
        with self._rest:
            if self._stopping:
                return
            self._at_work += 1
        try:
            self._work(loop)
        finally:
            with self._rest:
                self._at_work -= 1
                self._rest.notify_all()

    def _work(self, loop: Loop) -> None:
        again = self._again[loop.name]
        while True:
            again.clear()
            began = self._began[loop.name] = time.monotonic()
            done = self._try(loop)
            self._began[loop.name] = None
            self._seconds[loop.name] += time.monotonic() - began
            if done:
                self.wake(*loop.wakes)
            more = done is not None and loop.has_more()
            if self._stopping or not (more or again.is_set()):
                return

    def _try(self, loop: Loop) -> int | None:
        """One round; None if it failed. An error ends the round and never the loop: the next tick tries again."""
        try:
            done = loop.run_once()
        except Exception as error:
            sentence = error.sentence() if isinstance(error, IncumbentError) else repr(error)
            known = self._errors[loop.name] == sentence
            self._errors[loop.name] = sentence
            self._failures[loop.name] += 1
            if not known:
                expected = isinstance(error, IncumbentError)
                detail: dict[str, Any] = {"action": "round_failed", "loop": loop.name}
                log.log(
                    logging.INFO if self._stopping else logging.ERROR,
                    "%s: %s",
                    loop.name,
                    sentence,
                    extra=detail,
                    exc_info=not expected,
                )
            return None
        self._errors[loop.name] = ""
        self._good[loop.name] = time.monotonic()
        self._rounds[loop.name] += 1
        return done
