"""How foreign moves of the champion were decided, read back from the log: the publisher carries it out, the next
decision counts them, and an audit lists them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from controller.domain.publication import SETTLED_MOST, SETTLED_WINDOW, Settlement
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.snapshot import MoveView
from controller.ports import Query, Transaction

_KINDS = (SignalKind.FOREIGN_MOVE.value,)
_HANDLED = (SignalStatus.HANDLED.value,)
_READ = 10 * SETTLED_MOST
"""More than the window can hold: each one that is adopted or undone counts, and after so many it holds."""
_ALL = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledMove:
    """A foreign move, as it was seen, and how its decision settles it."""

    signal: int
    told_at: datetime
    decision: int
    at: datetime
    how: Settlement
    seen: str


def settled_by(tx: Transaction, signal: Signal) -> SettledMove | None:
    """How the decision that answered ``signal`` settles the move; None where it does not (audit, outdated)."""
    record = tx.decisions.get(signal.decision) if signal.decision is not None else None
    if record is None:
        return None
    for action in json.loads(record.decision)["actions"]:
        if action["kind"] == "settle_move" and action["signal"] == signal.id:
            return SettledMove(
                signal=signal.id,
                told_at=signal.received_at,
                decision=record.id,
                at=record.decided_at,
                how=action["how"],
                seen=action["reason"],
            )
    return None


def settled_moves(
    tx: Transaction, model: str, since: datetime | None = None, limit: int = _ALL
) -> Iterator[SettledMove]:
    """The model's foreign moves that were settled, newest first."""
    asked = Query(model=model, kinds=_KINDS, states=_HANDLED, since=since, limit=limit)
    for signal in tx.signals.find(asked):
        settled = settled_by(tx, signal)
        if settled is not None:
            yield settled


def read_moves(
    tx: Transaction, model: str, signals: Iterable[Signal], now: datetime
) -> tuple[MoveView, ...]:
    """The moves of the last while and how they were settled, newest first; none where no other has been told."""
    if not any(signal.kind is SignalKind.FOREIGN_MOVE for signal in signals):
        return ()
    lately = settled_moves(tx, model, now - SETTLED_WINDOW, _READ)
    return tuple(MoveView(at=one.told_at, how=one.how, decision=one.decision) for one in lately)
