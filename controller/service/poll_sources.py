"""Looks at the sources of all models in force, and books what they bring.

Each source is looked at in a thread of its own, so that one that hangs delays only its own model. How often: as the
policy says (``poll:``), else often while data arrive and ever more rarely while they don't; a source that fails is
asked again after a growing pause. Batches, signals and the cursor are written in one transaction, and only if the
cursor is still the one that the look began with: what two controllers see is booked once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from controller.crashpoints import reach
from controller.domain.data import served_stream
from controller.domain.errors import Full, IncumbentError
from controller.domain.rules import Policy
from controller.ports import (
    Batch,
    Clock,
    DataSource,
    Poll,
    SourceHealth,
    SourceState,
    Store,
    Transaction,
)
from controller.service.active_policies import ActivePolicies, InForce, Parse
from controller.service.backpressure import INBOX, must_have_room
from controller.service.data_signals import served_signals, signals_of

log = logging.getLogger(__name__)

OpenSource = Callable[[Policy], DataSource]
"""From a policy to its source; raises ConfigurationError if its address means nothing."""


TOLD_AFTER = 3
"""Failed looks in a row after which people are told; a blink is no news."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollConfig:
    """Pauses in seconds. ``patience`` is how long one round waits for looks to end; those that take longer go on
    and are booked by a later round. A look that takes longer than ``timeout`` counts as failed.

    What a source brings waits outside while its model's inbox holds ``inbox`` signals.
    ``watched_pause`` is the longest pause for a source whose folder is watched, ``timer`` a monotonic clock.
    """

    shortest: float = 1.0
    longest: float = 30.0
    watched_pause: float = 60.0
    failed_longest: float = 300.0
    growth: float = 1.5
    patience: float = 2.0
    timeout: float = 120.0
    at_once: int = 8
    timer: Callable[[], float] = time.monotonic
    inbox: int = INBOX


@dataclass(frozen=True, kw_only=True, slots=True)
class PollReport:
    """What one round did."""

    looked: int = 0
    batches: int = 0
    signals: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class _Look:
    """One look at a source, under way in a thread."""

    cursor: str | None
    began: float
    done: threading.Event = field(default_factory=threading.Event)
    poll: Poll | None = None
    error: str = ""
    overdue: bool = False


@dataclass(slots=True, eq=False)
class _Watched:
    """A model's source with its rhythm."""

    item: InForce
    source: DataSource | None = None
    look: _Look | None = None
    next_at: float = 0.0
    hinted: bool = False
    pause: float = 0.0
    failures: int = 0
    good: SourceState | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(getattr(self.source, "roots", ()))


class PollSources:
    """``run_once`` looks at every source whose time has come. ``hint`` brings a look forward."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        parse: Parse,
        open_source: OpenSource,
        health: SourceHealth,
        config: PollConfig | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = ActivePolicies(store, parse)
        self._open = open_source
        self._health = health
        self._config = config or PollConfig()
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._heard: dict[str, datetime] = {}

    def run_once(self) -> PollReport:
        """Look at what is due, book what has come, and say how much it was."""
        with self._lock:
            self._follow_policies()
            self._hear()
            due = self._due()
            started = [look for look in map(self._begin, due) if look is not None]
            self._await(started)
            return self._collect(failed=len(due) - len(started))

    def hint(self, paths: Iterable[Path]) -> bool:
        """Data moved below these folders or files: look at their sources in the next round."""
        moved = list(paths)
        found = False
        for watched in list(self._watched.values()):
            if any(root == p or root in p.parents for root in watched.roots for p in moved):
                watched.next_at, watched.hinted = 0.0, True
                found = True
        return found

    def _hear(self) -> None:
        """Hints that came by the database: a bucket told the API, which is another process."""
        with self._store.read() as tx:
            hinted = tx.hints.hinted()
        for model, at in hinted.items():
            watched = self._watched.get(model)
            if watched is not None and self._heard.get(model) != at:
                watched.next_at, watched.hinted = 0.0, True
        self._heard = dict(hinted)

    def roots(self) -> frozenset[Path]:
        """Every folder in which a change should be a hint."""
        return frozenset(root for w in list(self._watched.values()) for root in w.roots)

    def next_in(self) -> float:
        """Seconds until the next look is due; the shortest pause while one is under way."""
        now = self._config.timer()
        due = [
            w.next_at if w.look is None else now + self._config.shortest
            for w in list(self._watched.values())
        ]
        return max(0.0, min(due, default=now + self._config.longest) - now)

    # --- which sources ----------------------------------------------------------------------------------

    def _follow_policies(self) -> None:
        in_force = {s.model: s for item in self._policies.read() for s in streams_of(item)}
        if in_force.keys() != self._watched.keys():
            self._health.forget(sorted(in_force))
        for model in self._watched.keys() - in_force.keys():
            del self._watched[model]
        for model, item in in_force.items():
            known = self._watched.get(model)
            if known is None or known.item.policy.data != item.policy.data:
                self._watched[model] = _Watched(item=item)
            else:
                known.item = item

    def _due(self) -> list[_Watched]:
        now = self._config.timer()
        under_way = sum(w.look is not None and not w.look.overdue for w in self._watched.values())
        due = [w for w in self._watched.values() if w.look is None and w.next_at <= now]
        due.sort(key=lambda w: w.next_at)
        return due[: max(0, self._config.at_once - under_way)]

    # --- one look ---------------------------------------------------------------------------------------

    def _begin(self, watched: _Watched) -> _Look | None:
        try:
            if watched.source is None:
                watched.source = self._open(watched.item.policy)
            with self._store.read() as tx:
                cursor = tx.data.cursor(watched.item.model)
        except IncumbentError as error:
            self._failed(watched, error.sentence())
            return None
        watched.hinted = False
        watched.look = look = _Look(cursor=cursor, began=self._config.timer())
        name = f"poll-{watched.item.model}"
        threading.Thread(target=_run, args=(watched.source, look), name=name, daemon=True).start()
        return look

    def _await(self, looks: list[_Look]) -> None:
        until = time.monotonic() + self._config.patience
        for look in looks:
            look.done.wait(max(0.0, until - time.monotonic()))

    def _collect(self, failed: int) -> PollReport:
        looked = batches = signals = 0
        for watched in self._watched.values():
            look = watched.look
            if look is None:
                continue
            if not look.done.is_set():
                failed += self._mark_overdue(watched, look)
                continue
            watched.look = None
            looked += 1
            if look.poll is None:
                failed += 1
                self._failed(watched, look.error)
                continue
            try:
                fresh, accepted = self._book(watched.item, look.cursor, look.poll)
            except Full as full:
                failed += 1
                self._failed(watched, full.message)
                watched.next_at = self._config.timer() + self._config.shortest
                continue
            batches += fresh
            signals += accepted
            self._succeeded(watched, look.poll)
        return PollReport(looked=looked, batches=batches, signals=signals, failed=failed)

    def _mark_overdue(self, watched: _Watched, look: _Look) -> int:
        """The thread cannot be stopped; it is left alone, and no second one is begun beside it."""
        if look.overdue or self._config.timer() - look.began < self._config.timeout:
            return 0
        look.overdue = True
        self._failed(watched, f"the source did not answer within {self._config.timeout:g} seconds.")
        return 1

    # --- booking ----------------------------------------------------------------------------------------

    def _book(self, item: InForce, cursor: str | None, poll: Poll) -> tuple[int, int]:
        """Batches, signals and cursor together; nothing if somebody else booked meanwhile."""
        if not poll.batches and not poll.gone and poll.cursor == cursor:
            return 0, 0
        now = self._clock.now()
        reach("source-looked")
        with self._store.begin() as tx:
            if tx.data.cursor(item.model) != cursor:
                return 0, 0
            must_have_room(tx, item.serving or item.model, limit=self._config.inbox)
            known = tx.data.batches(item.model) if poll.batches else []
            gone = [batch for batch in tx.data.batches(item.model) if batch.uri in poll.gone]
            for batch in gone:
                tx.data.quarantine(item.model, batch.sequence, "no part of the table any more")
            fresh = tx.data.add(item.model, poll.batches, now)
            _take_back(tx, item.model, [b for b in poll.batches if not _is_in(b, fresh)])
            signals = (
                served_signals(item, fresh, now)
                if item.serving
                else signals_of(item.model, fresh, now, before=known[-1] if known else None)
            )
            accepted = tx.signals.append(signals, now)
            if poll.cursor != cursor:
                tx.data.set_cursor(item.model, poll.cursor)
            reach("source-written")
        reach("source-booked")
        for batch in fresh:
            log.info(
                "new data: %s (%s rows)",
                batch.uri,
                batch.rows,
                extra={"action": "new_data", "model": item.model, "sequence": batch.sequence},
            )
        return len(fresh), sum(answer.fresh for answer in accepted)

    # --- rhythm and health ------------------------------------------------------------------------------

    def _succeeded(self, watched: _Watched, poll: Poll) -> None:
        config, now = self._config, self._clock.now()
        asked = watched.item.policy.data.poll
        longest = config.watched_pause if watched.roots else config.longest
        if asked is not None:
            watched.pause = asked.total_seconds()
        elif poll.batches:
            watched.pause = config.shortest
        else:
            watched.pause = min(longest, max(config.shortest, watched.pause * config.growth))
        pause = watched.pause if poll.again is None else poll.again.total_seconds()
        # What moved while this look was under way may have come after its listing.
        watched.next_at = 0.0 if watched.hinted else config.timer() + pause
        watched.failures = 0
        self._note(
            watched,
            SourceState(
                model=watched.item.model,
                source=watched.item.policy.data.source,
                checked_at=now,
                good_at=now,
                problems=poll.problems,
            ),
        )

    def _failed(self, watched: _Watched, reason: str) -> None:
        watched.failures += 1
        pause = self._config.shortest * 2.0 ** min(watched.failures, 16)
        watched.next_at = self._config.timer() + min(self._config.failed_longest, pause)
        good = watched.good
        if watched.failures == TOLD_AFTER:
            self._tell(watched.item, reason, good.good_at if good else None)
        self._note(
            watched,
            SourceState(
                model=watched.item.model,
                source=watched.item.policy.data.source,
                checked_at=self._clock.now(),
                good_at=good.good_at if good else None,
                problems=good.problems if good else (),
                error=reason,
                failures=watched.failures,
            ),
        )

    def _tell(self, item: InForce, reason: str, good_at: datetime | None) -> None:
        """Tell whom the policy names for ``source_failed``; once for each time that it stops to answer."""
        channels = item.policy.notify.get("source_failed", ())
        if not channels:
            return
        since = f"; it was last read at {good_at:%Y-%m-%d %H:%M} UTC" if good_at else ""
        with self._store.begin() as tx:
            for channel in channels:
                payload = {
                    "channel": channel,
                    "event": "source_failed",
                    "model": item.serving or item.model,
                    "sentence": f"{item.policy.data.source} failed {TOLD_AFTER} times in a row: "
                    f"{reason.rstrip('.')}{since}; the champion stays and is not trained again",
                    "decision": None,
                    "at": self._clock.now(),
                }
                began = good_at.isoformat() if good_at else "never"
                tx.outbox.put("notify", f"source:{item.model}:{began}:{channel}", payload)

    def _note(self, watched: _Watched, state: SourceState) -> None:
        known = watched.good
        if known is None or (state.error, state.problems) != (known.error, known.problems):
            for sentence in (state.error, *state.problems):
                if sentence:
                    log.warning(
                        "%s", sentence, extra={"action": "source", "model": watched.item.model}
                    )
        watched.good = state
        self._health.note(state)


def streams_of(item: InForce) -> list[InForce]:
    """A policy's data, and its serving log where there is one: each with its own rhythm, health and cursor."""
    served = item.policy.data.served
    if served is None:
        return [item]
    data = replace(item.policy.data, source=served.source, time=served.time, served=None)
    name = served_stream(item.model)
    policy = replace(item.policy, model=name, data=data)
    return [item, InForce(name, item.blob, policy, serving=item.model)]


def _run(source: DataSource, look: _Look) -> None:
    try:
        look.poll = source.poll(look.cursor)
    except IncumbentError as error:
        look.error = error.sentence()
    except Exception as error:
        # A library's surprise is the source's problem, never the end of the loop.
        look.error = f"the source failed: {type(error).__name__}: {error}."
        log.exception("source failed", extra={"action": "source"})
    finally:
        look.done.set()


def _is_in(batch: Batch, batches: list[Batch]) -> bool:
    return any((batch.uri, batch.digest) == (other.uri, other.digest) for other in batches)


def _take_back(tx: Transaction, model: str, known: list[Batch]) -> None:
    """A file that has its old content again: what it held in between is no data any more."""
    for batch in known:
        while (
            newest := _newest(tx, model, batch.uri)
        ) is not None and newest.digest != batch.digest:
            tx.data.quarantine(model, newest.sequence, "the file has its earlier content again")


def _newest(tx: Transaction, model: str, uri: str) -> Batch | None:
    return next((batch for batch in tx.data.batches(model) if batch.uri == uri), None)
