"""Bounds on what waits, with words when something is full: better a clear "not now" than a slow end.

A signal that finds the inbox of its model full is refused, not lost: whoever sent it was never told that it is kept,
a source is looked at again later, and a schedule's due time stays due. People and the ends of runs are let in beyond
the bound, because they are what empties an inbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from controller.domain.decisions import Decision, StartRun
from controller.domain.errors import Conflict, Full, UserError
from controller.domain.signals import CAUSES, NewSignal
from controller.ports import DOORBELL, Accepted, Transaction

INBOX = 500
"""Signals of one model that may wait for their answer; a snapshot holds twice as many."""

OUTBOX = 10_000
"""Letters of one topic that may wait to be sent."""

LONGEST_IDENTITY = 2000
"""Bytes that model, actor and key may have together: PostgreSQL's index takes no row of more than 2,704."""

RESERVE = 200
"""Room beyond the bound for people."""


def accept(
    tx: Transaction, signals: Sequence[NewSignal], at: datetime, *, limit: int = INBOX
) -> list[Accepted]:
    """Put signals into the inbox, all or none of them: the way in of every door.

    Raises Full if a model has no room for its new ones, Conflict if a key was used before for something else.
    """
    for signal in signals:
        _must_be_short(signal)
    asked = Counter(signal.model for signal in signals)
    for model, count in asked.items():
        mine = [signal for signal in signals if signal.model == model]
        most = limit + (0 if any(signal.kind in CAUSES for signal in mine) else RESERVE)
        waiting = tx.signals.count_waiting(model)
        if waiting + count <= most:
            continue
        new = {signal.identity for signal in mine if not _is_known(tx, signal)}
        if new and waiting + len(new) > most:
            raise _full(model, waiting)
    accepted = tx.signals.append(signals, at)
    for signal, answer in zip(signals, accepted, strict=True):
        if not answer.fresh:
            _must_repeat(tx, answer.id, signal, at)
    return accepted


def _must_be_short(signal: NewSignal) -> None:
    parts = (signal.model, signal.actor, signal.key)
    size = sum(len(part.encode("utf-8", "replace")) for part in parts)
    if size > LONGEST_IDENTITY:
        raise UserError(
            f"The key of this signal, its sender and its model have {size:,} bytes together; "
            f"at most {LONGEST_IDENTITY:,} are taken.",
            hint="Take a shorter key; of a CloudEvent, a shorter id or source.",
        )


def _is_known(tx: Transaction, signal: NewSignal) -> bool:
    alike = tx.signals.with_key(signal.model, signal.key)
    return any(known.identity == signal.identity for known in alike)


def _must_repeat(tx: Transaction, number: int, signal: NewSignal, at: datetime) -> None:
    kept = tx.signals.get(number)
    if kept is not None and not kept.repeats(signal, at):
        raise key_is_taken(number)


def key_is_taken(number: int) -> Conflict:
    """What is said of a key that signal ``number`` has, with other content."""
    return Conflict(
        "This idempotency key was used for something else.",
        hint=f"It is signal {number}; take a new key for a new request.",
    )


def must_have_room(tx: Transaction, model: str, *, limit: int = INBOX) -> None:
    """Full where the model's inbox is; for those who bring a whole batch or nothing."""
    waiting = tx.signals.count_waiting(model)
    if waiting >= limit:
        raise _full(model, waiting)


def must_fit(tx: Transaction, decision: Decision, *, limit: int = OUTBOX) -> None:
    """Full where the decision orders runs and the outbox holds too many that nobody has claimed."""
    if not any(isinstance(action, StartRun) for action in decision.actions):
        return
    waiting = tx.outbox.depth().get(DOORBELL, 0)
    if waiting >= limit:
        raise Full(
            f"The outbox is full: {waiting:,} ordered runs wait for a worker.",
            hint="Start workers for their queues; nothing more is ordered before some are claimed.",
        )


def has_room_for_notices(tx: Transaction, *, limit: int = OUTBOX) -> bool:
    """Whether messages to people may still be added to those that nobody delivers.

    Beyond the bound they are dropped and counted: the decision itself is in the log, and matters more.
    """
    return tx.outbox.depth().get("notify", 0) < limit


def _full(model: str, waiting: int) -> Full:
    return Full(
        f"The inbox of {model} is full: {waiting:,} signals wait for their answer.",
        hint="Send it again later. `incumbent status` says what they wait for.",
    )
