"""A run's line to the database: the heartbeat, what people may watch meanwhile, and the end. All of it fenced.

A heartbeat goes out every quarter lease. Whoever does the work asks :meth:`Reporter.stop` whether to go on: it says
no when the token is no longer good, when the lease has run out by the monotonic clock (also while the database
hangs, also after this process was paused), and when somebody wants the run to be cancelled.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from controller.crashpoints import reach
from controller.domain.errors import Conflict, IncumbentError, Unavailable
from controller.domain.payloads import InvalidPayload
from controller.domain.runs import Run, RunState
from controller.ports import JournalEntry, Pulse, RunEnd, Store, Transaction
from workers.draining import Drain
from workers.settings import WorkerSettings
from workers.supervise import StopReason

log = logging.getLogger(__name__)

_FLUSH = 1.0
_MOST_ENTRIES = 50_000
_PATIENCE = 600.0
"""Seconds that the end of a run is tried to be written; after that the rescuer gives the work to somebody else."""


class Reporter:
    """The heartbeat thread of one claimed run. Use as a context manager around the work."""

    def __init__(
        self, store: Store, run: Run, settings: WorkerSettings, claimed: float, drain: Drain
    ) -> None:
        self._store = store
        self._drain = drain
        self._run = run
        self._settings = settings
        self._lease_ends = claimed + settings.lease
        self._claimed = claimed
        self._lost = threading.Event()
        self._cancel = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._entries: list[JournalEntry] = []
        self._written = 0
        self._progress: float | None = None
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {run.id}", daemon=True)
        self.metrics: dict[str, list[tuple[int, float | None]]] = {}
        """Every metric by step; None where the value was no number."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join(self._settings.lease)

    def stop(self) -> StopReason | None:
        """Why the work should end now; None: go on."""
        if self._lost.is_set() or time.monotonic() > self._lease_ends:
            return StopReason.LOST
        if self._cancel.is_set():
            return StopReason.CANCEL
        return StopReason.DRAIN if self._drain.due else None

    def now(self) -> datetime:
        """The decision clock as this worker knows it."""
        if self._settings.clock == "ordered":
            return self._run.ordered_at + timedelta(seconds=time.monotonic() - self._claimed)
        return datetime.now(UTC)

    # --- what can be watched ------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line of output."""
        self._add(JournalEntry(at=datetime.now(UTC), kind="log", text=text))

    def event(self, event: Mapping[str, Any]) -> None:
        """What a user process says through its pipe. It is not ours: what has no sense is left out."""
        now = datetime.now(UTC)
        if "metric" in event:
            self._metric(event, now)
        elif isinstance(event.get("progress"), (int, float)):
            self._progress = min(max(float(event["progress"]), 0.0), 1.0)
        elif "phase" in event:
            self._add(JournalEntry(at=now, kind="phase", text=str(event["phase"])[:200]))

    def _metric(self, event: Mapping[str, Any], now: datetime) -> None:
        name, value, step = str(event["metric"])[:200], event.get("value"), event.get("step")
        if not isinstance(step, int):
            return
        number = float(value) if isinstance(value, (int, float)) else None
        self.metrics.setdefault(name, []).append((step, number))
        text = "" if number is not None else str(value)[:40]
        self._add(
            JournalEntry(at=now, kind="metric", name=name, step=step, value=number, text=text)
        )

    def _add(self, entry: JournalEntry) -> None:
        with self._lock:
            if self._written < _MOST_ENTRIES:
                self._entries.append(entry)
            self._written += 1

    # --- the thread ---------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        next_beat = time.monotonic() + self._settings.heartbeat
        while not self._done.wait(min(_FLUSH, self._settings.heartbeat)):
            beating = time.monotonic() >= next_beat
            if not beating and not self._entries:
                continue
            if beating:
                next_beat = time.monotonic() + self._settings.heartbeat
            try:
                self._write(beating=beating)
            except IncumbentError as error:
                log.warning(
                    "no heartbeat",
                    extra={"action": "heartbeat", "run": self._run.id, "why": str(error)},
                )
            if self._lost.is_set():
                return

    def give_back(self, *, counts: bool) -> None:
        """Let the lease end now: whoever looks next gives the run to somebody else.

        ``counts``: whether the attempt is used up; it is not where this worker merely had to go.
        """
        self._done.set()
        self._thread.join(self._settings.lease)
        try:
            with self._store.begin() as tx:
                tx.journal.append(self._run.id, self._run.fence, self._taken())
                lease = timedelta(microseconds=1) if counts else timedelta(0)
                tx.runs.heartbeat(self._run.id, self._run.fence, lease=lease)
        except IncumbentError as error:  # then it ends by itself, a little later
            why = {"action": "give_back", "run": self._run.id, "why": str(error)}
            log.warning("not given back", extra=why)

    def settle(self) -> list[JournalEntry]:
        """The entries that are not written yet; they belong into the transaction that ends the run."""
        return self._taken()

    def _write(self, *, beating: bool) -> None:
        entries = self._taken()
        sent = time.monotonic()
        try:
            with self._store.begin() as tx:
                if entries:
                    tx.journal.append(self._run.id, self._run.fence, entries)
                if beating:
                    lease = timedelta(seconds=self._settings.lease)
                    pulse = Pulse(valid=False)
                    if is_ours(tx, self._run):
                        pulse = tx.runs.heartbeat(
                            self._run.id, self._run.fence, lease=lease, progress=self._progress
                        )
                    if not pulse.valid:
                        tx.counters.add("workers_fenced")
        except IncumbentError:
            with self._lock:
                self._entries[:0] = entries
            raise
        if not beating:
            return
        if not pulse.valid:
            self._lost.set()
            return
        self._lease_ends = sent + self._settings.lease
        if pulse.cancel:
            self._cancel.set()

    def _taken(self) -> list[JournalEntry]:
        with self._lock:
            entries, self._entries = self._entries, []
        return entries


def report_end(store: Store, run: Run, end: RunEnd, reporter: Reporter) -> bool:
    """Write the end of a run; False if it no longer counts. Tries again while the database does not answer.

    The outcome of a commit whose answer got lost is unknown: the run is read again before the next try.
    """
    at, rest = reporter.now(), reporter.settle()
    deadline = time.monotonic() + _PATIENCE
    pause = 0.1
    while True:
        try:
            with store.begin() as tx:
                counted = is_ours(tx, run)
                if counted:
                    tx.journal.append(run.id, run.fence, rest)
                    counted = tx.runs.finish(run.id, run.fence, end, at=at)
                if not counted:
                    tx.counters.add(_ignored(tx, run))
                reach("end-written")
        except (Unavailable, Conflict) as error:
            log.warning(
                "end not written yet", extra={"action": "finish", "run": run.id, "why": str(error)}
            )
            if _is_written(store, run, end):
                return True
            if time.monotonic() > deadline:
                raise
        except (
            TypeError,
            ValueError,
            InvalidPayload,
        ) as error:  # a mistake of ours: say so instead of trying for ever
            log.exception("result cannot be written", extra={"action": "finish", "run": run.id})
            end = RunEnd(state=RunState.FAILED, reason=f"its result cannot be written: {error}")
        else:
            reach("run-ended")
            return counted
        time.sleep(pause)
        pause = min(pause * 2, 5.0)


def is_ours(tx: Transaction, run: Run) -> bool:
    """Whether the database still holds the claim that this worker won.

    The fence alone does not tell where the database was restored from a backup: the same number may have been given
    to another order since, with the same fence. The moment of the claim is told by the database and never repeats.
    """
    held = tx.runs.get(run.id)
    return held is not None and (held.worker, held.started_at, held.decision) == (
        run.worker,
        run.started_at,
        run.decision,
    )


def _ignored(tx: Transaction, run: Run) -> str:
    """What a result is that does not count: told twice, or late because somebody else has the run."""
    held = tx.runs.get(run.id)
    twice = held is not None and held.fence == run.fence and held.state.ended
    return "results_told_twice" if twice else "results_too_late"


def _is_written(store: Store, run: Run, end: RunEnd) -> bool:
    try:
        with store.read() as tx:
            held = tx.runs.get(run.id)
    except IncumbentError:
        return False
    return held is not None and held.fence == run.fence and held.state is end.state
