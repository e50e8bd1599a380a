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
from controller.domain.errors import Full
from controller.domain.signals import CAUSES, NewSignal
from controller.ports import DOORBELL, Accepted, Transaction

INBOX = 500
"""Signals of one model that may wait for their answer; a snapshot holds twice as many."""

OUTBOX = 10_000
"""Letters of one topic that may wait to be sent."""

RESERVE = 200
"""Room beyond the bound for people."""


def accept(
    tx: Transaction, signals: Sequence[NewSignal], at: datetime, *, limit: int = INBOX
) -> list[Accepted]:
    """Put signals into the inbox; Full, and none is kept, if a model has no room for its new ones."""
    asked = Counter(signal.model for signal in signals)
    for model, count in asked.items():
        mine = [signal for signal in signals if signal.model == model]
        most = limit + (0 if any(signal.kind in CAUSES for signal in mine) else RESERVE)
        waiting = tx.signals.count_waiting(model)
        if waiting + count <= most:
            continue
        new = {signal.key for signal in mine if tx.signals.by_key(signal.key) is None}
        if new and waiting + len(new) > most:
            raise _full(model, waiting)
    return tx.signals.append(signals, at)


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
