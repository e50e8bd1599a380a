"""The inbox in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.adapters.memory.tables import Tables
from controller.domain.canonical import canonical_json, digest
from controller.domain.errors import Conflict
from controller.domain.payloads import check_signals
from controller.domain.signals import (
    CAUSES,
    URGENT,
    NewSignal,
    Signal,
    SignalAnswer,
    SignalStatus,
)
from controller.ports import Accepted, Query, SignalProof


class MemorySignals:
    """Keeps signals by id, and of each model those that wait."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, signals: Sequence[NewSignal], at: datetime) -> list[Accepted]:
        return [self._append(signal, at) for signal in check_signals(signals)]

    def _append(self, new: NewSignal, at: datetime) -> Accepted:
        alike = self._tables.signal_keys.get((new.model, new.key)) or ()
        for known in alike:
            if self._tables.signals[known].identity == new.identity:
                return Accepted(id=known, fresh=False)
        number = len(self._tables.signals) + 1
        self._tables.signals[number] = Signal(
            id=number,
            key=new.key,
            model=new.model,
            kind=new.kind,
            occurred_at=new.occurred_at,
            received_at=at,
            payload=_as_kept(new.payload),
            trigger=new.trigger,
            actor=new.actor,
        )
        self._tables.signal_keys[new.model, new.key] = (*alike, number)
        self._tables.waiting[new.model] = (*(self._tables.waiting.get(new.model) or ()), number)
        return Accepted(id=number, fresh=True)

    def pending(self, model: str, limit: int = 1000) -> tuple[Signal, ...]:
        waiting = self._tables.waiting.get(model) or ()
        if len(waiting) <= limit:
            return tuple(self._tables.signals[number] for number in waiting)
        found = [self._tables.signals[number] for number in waiting]
        found.sort(key=lambda signal: (signal.kind in CAUSES, signal.id))
        return tuple(sorted(found[:limit], key=lambda signal: signal.id))

    def answer(self, answers: Sequence[SignalAnswer], decision: int) -> None:
        if answers and decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")
        for answer in answers:
            self._answer(answer, decision)

    def _answer(self, answer: SignalAnswer, decision: int) -> None:
        signal = self._tables.signals.get(answer.signal)
        if signal is None:
            raise Conflict(f"There is no signal {answer.signal} to answer.")
        if signal.status.ended:
            raise Conflict(
                f"Signal {signal.id} has ended as {signal.status}; it is not answered again."
            )
        self._tables.signals[signal.id] = replace(
            signal, status=answer.status, reason=answer.reason, decision=decision
        )
        if answer.status.ended:
            left = tuple(n for n in self._tables.waiting[signal.model] if n != signal.id)
            self._tables.waiting[signal.model] = left

    def get(self, signal: int) -> Signal | None:
        return self._tables.signals.get(signal)

    def with_key(self, model: str, key: str) -> tuple[Signal, ...]:
        alike = self._tables.signal_keys.get((model, key)) or ()
        return tuple(self._tables.signals[number] for number in alike)

    def find(self, query: Query) -> list[Signal]:
        found: list[Signal] = []
        for signal in self._tables.signals.newest():
            if len(found) >= query.limit:
                break
            if (
                (query.model is None or signal.model == query.model)
                and (not query.kinds or signal.kind in query.kinds)
                and (not query.states or signal.status in query.states)
                and (query.since is None or signal.received_at >= query.since)
                and (query.until is None or signal.received_at < query.until)
                and (query.before is None or signal.id < query.before)
            ):
                found.append(signal)
        return found

    def count_waiting(self, model: str | None = None) -> int:
        if model is not None:
            return len(self._tables.waiting.get(model) or ())
        return sum(len(waiting) for waiting in self._tables.waiting.values())

    def proofs(self, numbers: Collection[int]) -> list[SignalProof]:
        found = [self._tables.signals.get(number) for number in sorted(numbers)]
        return [
            SignalProof(
                id=signal.id,
                digest=digest(replace(signal, status=SignalStatus.OPEN, reason="", decision=None)),
                status=signal.status,
                reason=signal.reason,
                decision=signal.decision,
            )
            for signal in found
            if signal is not None
        ]

    def oldest_open(self, model: str, *, urgent: bool = False) -> datetime | None:
        """When the model's oldest open signal was received; with ``urgent``, the oldest urgent one that waits."""
        for number in self._tables.waiting.get(model) or ():
            signal = self._tables.signals[number]
            if signal.kind in URGENT if urgent else signal.status is SignalStatus.OPEN:
                return signal.received_at
        return None


def _as_kept(payload: Mapping[str, Any]) -> dict[str, Any]:
    """As a database gives it back: from its canonical text, whose UTF-8 has no half characters."""
    kept: dict[str, Any] = json.loads(canonical_json(payload).encode("utf-8", "replace"))
    return kept
