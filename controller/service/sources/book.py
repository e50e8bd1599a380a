"""Books what looks at sources brought: batches, signals and cursor of a model together, in one transaction.

The bookings of several models share a transaction: one write to the disk instead of many. Each is made only if the
model's cursor is still the one that its look began with, so that what two controllers see is booked once, and one that
is refused leaves the others alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.crashpoints import reach
from controller.domain.errors import Full, Unavailable
from controller.ports import Batch, Poll, Store, Transaction
from controller.service.deciding.backpressure import must_have_room
from controller.service.rules.active import InForce
from controller.service.sources.data_signals import served_signals, signals_of

log = logging.getLogger(__name__)

_TOGETHER = 100
"""Models and batches that share a transaction: some tens of milliseconds for which other writers wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a look brought for one model, whose cursor it began with."""

    item: InForce
    cursor: str | None
    poll: Poll

    @property
    def is_news(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.poll.batches or self.poll.gone) or self.poll.cursor != self.cursor


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """What became of it. ``moved``: somebody else booked meanwhile, and nothing was written.

    ``refused`` is a sentence; ``full`` says that it is the inbox that refused, which has room again soon.
    """

    batches: tuple[Batch, ...] = ()
    signals: int = 0
    moved: bool = False
    refused: str = ""
    full: bool = False


def book(store: Store, found: Sequence[Found], now: datetime, *, inbox: int) -> list[Booked]:
    """Write what was found, in the order given; raises Unavailable if the database does not answer."""
    answers: list[Booked] = []
    for together in _portions(found):
        answers += _book_together(store, together, now, inbox)
    for one, answer in zip(found, answers, strict=True):
        for batch in answer.batches:
            log.info(
                "new data: %s (%s rows)",
                batch.uri,
                batch.rows,
                extra={"action": "new_data", "model": one.item.model, "sequence": batch.sequence},
            )
    return answers


def _portions(found: Sequence[Found]) -> Iterator[list[Found]]:
    portion: list[Found] = []
    weight = 0
    for one in found:
        mine = 1 + len(one.poll.batches)
        if portion and weight + mine > _TOGETHER:
            yield portion
            portion, weight = [], 0
        portion.append(one)
        weight += mine
    if portion:
        yield portion


def _book_together(store: Store, found: Sequence[Found], now: datetime, inbox: int) -> list[Booked]:
    if not any(one.is_news for one in found):
        return [Booked() for _ in found]
    reach("source-looked")
    try:
        with store.begin() as tx:
            answers = [_book(tx, one, now, inbox) for one in found]
            reach("source-written")
    except Unavailable:
        raise
    except Exception as error:
        if len(found) > 1:
            return [answer for one in found for answer in _book_together(store, [one], now, inbox)]
        # What one source brought cannot be written: its own trouble, and no other's.
        log.exception("cannot book", extra={"action": "source", "model": found[0].item.model})
        why = f"what the source brought cannot be kept: {type(error).__name__}: {error}."
        return [Booked(refused=why)]
    reach("source-booked")
    return answers


def _book(tx: Transaction, one: Found, now: datetime, inbox: int) -> Booked:
    item, poll = one.item, one.poll
    if not one.is_news:
        return Booked()
    if tx.data.cursor(item.model) != one.cursor:
        return Booked(moved=True)
    try:
        must_have_room(tx, item.serving or item.model, limit=inbox)
    except Full as full:
        return Booked(refused=full.message, full=True)
    known = tx.data.batches(item.model) if poll.batches or poll.gone else []
    for batch in known:
        if batch.uri in poll.gone:
            tx.data.quarantine(item.model, batch.sequence, "no part of the table any more")
    fresh = tx.data.add(item.model, poll.batches, now) if poll.batches else []
    _take_back(tx, item.model, [b for b in poll.batches if not _is_in(b, fresh)])
    signals = (
        served_signals(item, fresh, now)
        if item.serving
        else signals_of(item.model, fresh, now, before=known[-1] if known else None)
    )
    accepted = tx.signals.append(signals, now) if signals else []
    if poll.cursor != one.cursor:
        tx.data.set_cursor(item.model, poll.cursor)
    return Booked(batches=tuple(fresh), signals=sum(answer.fresh for answer in accepted))


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
