"""The delivery log, the silences and a sender in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.errors import Unavailable
from controller.ports import Delivery, DeliveryQuery, DeliveryState, Message, Silence

_UNSENT = frozenset({DeliveryState.GATHERING, DeliveryState.SENDING})


class MemoryDeliveries:
    """Rows by id."""

    def __init__(self, tables: Tables) -> None:
        self._rows = tables.deliveries

    def open(self, channel: str, address: str, lane: str) -> Delivery | None:
        wanted = (channel, address, lane)
        for row in self._rows.newest():
            if (row.channel, row.address, row.lane) == wanted:
                return row if row.state.takes_more else None
        return None

    def put(self, delivery: Delivery) -> Delivery:
        if not delivery.id and delivery.key is not None:
            for row in self._rows.values():
                if row.key == delivery.key:
                    return row
        kept = delivery if delivery.id else replace(delivery, id=len(self._rows) + 1)
        self._rows[kept.id] = kept
        return kept

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        found, seen = [], set()
        for row in self._rows.values():
            if row.state in _UNSENT and (row.channel, row.address) not in seen:
                # Under way or failing: what came later waits behind it.
                if row.state is DeliveryState.SENDING:
                    seen.add((row.channel, row.address))
                if row.due_at <= now:
                    seen.add((row.channel, row.address))
                    found.append(row)
        return found[:limit]

    def claim(self, delivery: Delivery, until: datetime) -> Delivery | None:
        held = self._rows.get(delivery.id)
        if held is None or held.state not in _UNSENT or held.attempts != delivery.attempts:
            return None
        taken = replace(held, state=DeliveryState.SENDING, attempts=held.attempts + 1, due_at=until)
        self._rows[held.id] = taken
        return taken

    def get(self, delivery: int) -> Delivery | None:
        return self._rows.get(delivery)

    def find(self, query: DeliveryQuery) -> list[Delivery]:
        return [row for row in self._rows.newest() if _matches(row, query)][: query.limit]


def _matches(row: Delivery, query: DeliveryQuery) -> bool:
    return (
        query.channel in {None, row.channel}
        and query.address in {None, row.address}
        and (not query.states or row.state.value in query.states)
        and (query.since is None or row.created_at >= query.since)
        and (query.before is None or row.id < query.before)
        and (query.decision is None or query.decision in {n.decision for n in row.notices})
    )


class MemorySilences:
    """Silences by id."""

    def __init__(self, tables: Tables) -> None:
        self._rows = tables.silences

    def add(self, silence: Silence) -> Silence:
        if silence.key is not None:
            for row in self._rows.values():
                if row.key == silence.key:
                    return row
        kept = replace(silence, id=len(self._rows) + 1)
        self._rows[kept.id] = kept
        return kept

    def get(self, silence: int) -> Silence | None:
        return self._rows.get(silence)

    def end(self, silence: int, at: datetime) -> bool:
        held = self._rows.get(silence)
        if held is None or held.ends_at <= at:
            return False
        self._rows[silence] = replace(held, ends_at=at)
        return True

    def active(self, now: datetime) -> list[Silence]:
        found = [row for row in self._rows.values() if row.created_at <= now < row.ends_at]
        return sorted(found, key=lambda row: (row.ends_at, row.id))

    def find(self, limit: int = 100) -> list[Silence]:
        return list(self._rows.newest())[:limit]


class MemorySender:
    """Keeps messages in order of arrival; ``broken`` makes it refuse."""

    def __init__(self, label: str = "memory") -> None:
        self.label = label
        self.broken = ""
        self._lock = threading.Lock()
        self._sent: list[Message] = []

    def send(self, message: Message) -> None:
        if self.broken:
            raise Unavailable(self.broken)
        with self._lock:
            self._sent.append(message)

    @property
    def sent(self) -> list[Message]:
        """A copy of all that arrived, oldest first."""
        with self._lock:
            return list(self._sent)
