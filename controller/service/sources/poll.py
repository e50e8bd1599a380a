"""Looks at the sources of all models in force, and books what they bring.

Models whose policies read the same place the same way share one look, one rhythm and one state of health; where each
of them goes on is its own, and so is what it is told. Each look has a thread of its own (:mod:`source_looks`), and who
comes next is fair (:mod:`place_queue`). How often: as the policy says (``poll:``; the most impatient of those who
share), else often while data arrive and ever more rarely while they don't; a source that fails is asked again after a
growing pause. Batches, signals and the cursor of a model are written in one transaction, and only if the cursor is
still the one that the look began with: what two controllers see is booked once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from controller.domain.data import served_stream
from controller.domain.notices import channels_told
from controller.domain.rules import SourceKey
from controller.ports import Clock, DataSource, Poll, SourceHealth, SourceState, Store
from controller.service.deciding.backpressure import INBOX
from controller.service.rules.active import ActivePolicies, InForce, Parse
from controller.service.sources.book import Booked, Found, book
from controller.service.sources.looks import Look, LookConfig, Looks, OpenSource, Place, Reader
from controller.service.sources.place_queue import PlaceQueue
from controller.service.sources.roots import WatchedRoots

log = logging.getLogger(__name__)

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
    patience: float = 0.2
    timeout: float = 120.0
    at_once: int = 8
    timer: Callable[[], float] = time.monotonic
    inbox: int = INBOX


@dataclass(frozen=True, kw_only=True, slots=True)
class PollReport:
    """What one round did: places looked at and failed, batches and signals booked."""

    looked: int = 0
    batches: int = 0
    signals: int = 0
    failed: int = 0


class PollSources:
    """``run_once`` looks at sources whose time has come, ``has_more`` says whether another round is due at once.

    ``hint`` brings a look forward.
    """

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
        self._config = config = config or PollConfig()
        looks = LookConfig(at_once=config.at_once, timeout=config.timeout, timer=config.timer)
        self._looks = Looks(self._open_source, looks, self._wake_loop)
        self._queue: PlaceQueue = PlaceQueue()
        self._places: dict[SourceKey, Place] = {}
        self._place_of: dict[str, Place] = {}
        self._in_force: list[InForce] | None = None
        self._lock = threading.Lock()
        self._heard: dict[str, datetime] = {}
        self._noted: list[SourceState] = []
        self._goes_on = False
        self._caught_up = 0.0
        self._roots = WatchedRoots()
        self.wake: Callable[[], None] | None = None
        """Called when a look ends that no round waits for; set by who runs the rounds."""

    def run_once(self) -> PollReport:
        """Look at what is due, book what has come, and say how much it was."""
        with self._lock:
            self._catch_up()
            overdue = [look for look in self._looks.overdue() if self._is_wanted(look)]
            for look in overdue:
                why = f"the source did not answer within {self._config.timeout:g} seconds."
                self._note_failure(look.place, why)
            ended = self._looks.ended(self._begin(), self._config.patience)
            wanted = [look for look in ended if self._is_wanted(look)]
            report = self._settle(wanted)
            if self._noted:
                self._health.note(self._noted)
                self._noted = []
            return replace(report, failed=report.failed + len(overdue))

    @property
    def has_more(self) -> bool:
        """Whether a look has ended or one may be begun, so that the next round need not wait for its beat."""
        now = self._config.timer()
        self._goes_on = self._looks.some_ended or self._queue.has(now, self._looks.may_begin)
        return self._goes_on

    def hint(self, paths: Iterable[Path]) -> bool:
        """Data moved below these folders or files: look at their sources in the next round."""
        found = self._roots.of(paths)
        for place in found:
            self._queue.hint(place)
        return bool(found)

    def roots(self) -> frozenset[Path]:
        """Every folder in which a change should be a hint."""
        return self._roots.all()

    def next_in(self) -> float:
        """Seconds until the next look is due."""
        now = self._config.timer()
        at = self._queue.next_at(now)
        return self._config.longest if at is None else at - now

    def _open_source(self, place: Place) -> DataSource:
        source = self._open(place.key)
        if self._places.get(place.key) is place:
            # Before the first look: what moves while it is under way may come after its listing.
            self._roots.add(place, getattr(source, "roots", ()))
        return source

    def _wake_loop(self) -> None:
        if self.wake is not None:
            self.wake()

    # --- which sources ----------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Hear of policies and hints: with each beat, and once a second while rounds follow each other at once."""
        now, goes_on, self._goes_on = self._config.timer(), self._goes_on, False
        if goes_on and now - self._caught_up < self._config.shortest:
            return
        self._follow_policies()
        self._hear()
        self._caught_up = now

    def _hear(self) -> None:
        """Hints that came by the database: a bucket told the API, which is another process."""
        with self._store.read() as tx:
            hinted = tx.hints.hinted()
        for model, at in hinted.items():
            place = self._place_of.get(model)
            if place is not None and self._heard.get(model) != at:
                self._queue.hint(place)
        self._heard = dict(hinted)

    def _follow_policies(self) -> None:
        policies = self._policies.read()
        if policies is self._in_force:
            return
        self._in_force = policies
        names = {place.name for place in self._places.values()}
        in_force = {stream.model: stream for item in policies for stream in streams_of(item)}
        for model in self._place_of.keys() - in_force.keys():
            self._leave(model)
        for model, item in in_force.items():
            self._follow(model, item)
        if names != (now := {place.name for place in self._places.values()}):
            self._health.forget(sorted(now))

    def _follow(self, model: str, item: InForce) -> None:
        key, place = item.policy.data.source_key, self._place_of.get(model)
        if place is not None and place.key == key:
            reader = place.readers[model]
            if reader.item.policy.data.poll != item.policy.data.poll:
                self._queue.hint(place)
            reader.item = item
            return
        if place is not None:
            self._leave(model)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(key=key)
            self._queue.put(place, 0.0)
        else:
            self._queue.hint(place)
        place.readers[model] = Reader(item=item)
        self._place_of[model] = place

    def _leave(self, model: str) -> None:
        place = self._place_of.pop(model)
        del place.readers[model]
        if not place.readers:
            del self._places[place.key]
            self._queue.drop(place)
            self._roots.drop(place)

    def _is_wanted(self, look: Look) -> bool:
        """Whether a policy still asks for what it looked at."""
        return self._places.get(look.place.key) is look.place

    # --- looks ------------------------------------------------------------------------------------------

    def _begin(self) -> list[Look]:
        begun: list[Look] = []
        now = self._config.timer()
        while (place := self._queue.take(now, self._looks.may_begin)) is not None:
            try:
                begun.append(self._looks.begin(place, self._cursors(place)))
            except BaseException:
                self._queue.put(place, now + self._config.shortest)
                raise
        return begun

    def _cursors(self, place: Place) -> dict[str, str | None]:
        """Where each reader goes on. What this process wrote last it knows; if another has moved it, booking sees."""
        asked = [model for model, reader in place.readers.items() if not reader.known]
        if asked:
            with self._store.read() as tx:
                for model in asked:
                    place.readers[model].cursor = tx.data.cursor(model)
                    place.readers[model].known = True
        return {model: reader.cursor for model, reader in place.readers.items()}

    def _settle(self, looks: Sequence[Look]) -> PollReport:
        """Book what these looks found, and say when each place is looked at next."""
        left = dict.fromkeys(look.place for look in looks)
        try:
            found = [one for look in looks for one in _found(look)]
            answers = book(self._store, found, self._clock.now(), inbox=self._config.inbox)
            booked: dict[str, Booked] = {}
            for one, answer in zip(found, answers, strict=True):
                booked[one.item.model] = answer
                self._move_on(one, answer)
            failed = 0
            for look in looks:
                failed += self._conclude(look, booked)
                del left[look.place]
        finally:
            for place in left:  # nothing was booked: the next round looks again
                self._queue.put(place, self._config.timer() + self._config.shortest)
        return PollReport(
            looked=len(looks),
            batches=sum(len(answer.batches) for answer in booked.values()),
            signals=sum(answer.signals for answer in booked.values()),
            failed=failed,
        )

    def _move_on(self, one: Found, answer: Booked) -> None:
        place = self._place_of.get(one.item.model)
        reader = place.readers.get(one.item.model) if place is not None else None
        if reader is None:
            return
        if answer.moved or answer.refused:
            reader.known = False
        else:
            reader.cursor = one.poll.cursor

    def _conclude(self, look: Look, booked: dict[str, Booked]) -> int:
        """How the look ended for its place; 1 if it failed."""
        mine = [booked[model] for model in look.cursors if model in booked]
        refused = next((answer for answer in mine if answer.refused), None)
        if look.error:
            self._failed(look.place, look.error)
        elif refused is None:
            self._succeeded(look.place, list(look.polls.values()), mine)
            return 0
        elif refused.full:
            self._failed(look.place, refused.refused, again=self._config.shortest)
        else:
            self._failed(look.place, refused.refused)
        return 1

    # --- rhythm and health ------------------------------------------------------------------------------

    def _succeeded(self, place: Place, polls: Sequence[Poll], booked: Sequence[Booked]) -> None:
        config, now = self._config, self._clock.now()
        place.failures = 0
        problems = dict.fromkeys(problem for poll in polls for problem in poll.problems)
        self._note(
            place,
            SourceState(
                model=place.name,
                source=place.key.address,
                checked_at=now,
                good_at=now,
                problems=tuple(problems),
            ),
        )
        place.pause = self._pause(place, news=any(poll.batches for poll in polls))
        again = [poll.again.total_seconds() for poll in polls if poll.again is not None]
        pause = min(again, default=place.pause)
        if any(answer.moved for answer in booked):
            pause = 0.0
        self._queue.put(place, config.timer() + pause)

    def _pause(self, place: Place, *, news: bool) -> float:
        """The pause of the most impatient reader, in seconds."""
        config = self._config
        polls = {reader.item.policy.data.poll for reader in place.readers.values()}
        pauses = [poll.total_seconds() for poll in polls if poll is not None]
        if None in polls:
            longest = config.watched_pause if place.roots else config.longest
            grown = min(longest, max(config.shortest, place.pause * config.growth))
            pauses.append(config.shortest if news else grown)
        return min(pauses)

    def _failed(self, place: Place, reason: str, again: float | None = None) -> None:
        """``again``: seconds until the next look, where failing more often is no reason to look more rarely."""
        self._note_failure(place, reason)
        pause = self._config.shortest * 2.0 ** min(place.failures, 16)
        pause = min(self._config.failed_longest, pause) if again is None else again
        self._queue.put(place, self._config.timer() + pause)

    def _note_failure(self, place: Place, reason: str) -> None:
        place.failures += 1
        good = place.state
        if place.failures == TOLD_AFTER:
            self._notify(place, reason, good.good_at if good else None)
        self._note(
            place,
            SourceState(
                model=place.name,
                source=place.key.address,
                checked_at=self._clock.now(),
                good_at=good.good_at if good else None,
                problems=good.problems if good else (),
                error=reason,
                failures=place.failures,
            ),
        )

    def _notify(self, place: Place, reason: str, good_at: datetime | None) -> None:
        """Tell whom the policies name for ``source_failed``: once a channel for each time that it stops to answer."""
        first: dict[str, InForce] = {}
        for name in sorted(place.readers):
            item = place.readers[name].item
            for channel in channels_told(item.policy.notify, "source_failed"):
                first.setdefault(channel, item)
        if not first:
            return
        since = f"; it was last read at {good_at:%Y-%m-%d %H:%M} UTC" if good_at else ""
        began = good_at.isoformat() if good_at else "never"
        with self._store.begin() as tx:
            for channel, item in first.items():
                payload = {
                    "channel": channel,
                    "event": "source_failed",
                    "model": item.serving or item.model,
                    "sentence": f"{_shared(place)} failed {TOLD_AFTER} times in a row: "
                    f"{reason.rstrip('.')}{since}; {_stays(place)}",
                    "decision": None,
                    "at": self._clock.now(),
                }
                tx.outbox.put("notify", f"source:{item.model}:{began}:{channel}", payload)

    def _note(self, place: Place, state: SourceState) -> None:
        known = place.state
        if known is None or (state.error, state.problems) != (known.error, known.problems):
            for sentence in (state.error, *state.problems):
                if sentence:
                    log.warning("%s", sentence, extra={"action": "source", "model": place.name})
        place.state = state
        self._noted.append(state)


def _found(look: Look) -> list[Found]:
    """What a look brought for each model that still reads the place."""
    readers = look.place.readers
    return [
        Found(item=readers[model].item, cursor=cursor, poll=look.polls[cursor])
        for model, cursor in look.cursors.items()
        if model in readers and cursor in look.polls
    ]


def _shared(place: Place) -> str:
    count = len(place.readers)
    return place.key.address if count == 1 else f"{place.key.address}, which {count} models read,"


def _stays(place: Place) -> str:
    if len(place.readers) == 1:
        return "the champion stays and is not trained again"
    return "their champions stay and are not trained again"


def streams_of(item: InForce) -> list[InForce]:
    """A policy's data, and its serving log where there is one: each with its own cursor."""
    served = item.policy.data.served
    if served is None:
        return [item]
    data = replace(item.policy.data, source=served.source, time=served.time, served=None)
    name = served_stream(item.model)
    policy = replace(item.policy, model=name, data=data)
    return [item, InForce(name, item.blob, policy, serving=item.model)]
