"""The delivery log and the silences in SQL."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Text, and_, exists, or_, select, type_coerce, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import deliveries_table, silences_table
from controller.adapters.sql.types import is_one_of, storable
from controller.domain.canonical import parse_time
from controller.ports import Delivery, DeliveryQuery, DeliveryState, Notice, Silence

_UNSENT = is_one_of(deliveries_table.c.state, DeliveryState.GATHERING, DeliveryState.SENDING)


class SqlDeliveries:
    """One row a message and address; the notices are JSON, because nothing asks for one of them."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def open(self, channel: str, address: str, lane: str) -> Delivery | None:
        row = self._session.execute(
            select(deliveries_table)
            .where(
                deliveries_table.c.channel == storable(channel),
                deliveries_table.c.address == storable(address),
                deliveries_table.c.lane == lane,
            )
            .order_by(deliveries_table.c.id.desc())
            .limit(1)
        ).first()
        found = None if row is None else _delivery(row)
        return found if found is not None and found.state.takes_more else None

    def put(self, delivery: Delivery) -> Delivery:
        values = {name: value for name, value in asdict(delivery).items() if name != "id"}
        values["state"] = delivery.state.value
        if delivery.id:
            self._session.execute(
                update(deliveries_table)
                .where(deliveries_table.c.id == delivery.id)
                .values(**values)
            )
            return delivery
        row = self._session.execute(
            self._session.insert(deliveries_table)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(deliveries_table.c.id)
        ).first()
        if row is not None:
            return replace(delivery, id=row.id)
        known = select(deliveries_table).where(
            deliveries_table.c.key == storable(delivery.key or "")
        )
        return _delivery(self._session.execute(known).one())

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        # Behind one that is under way or failing, and behind an older one that is due too, others wait.
        earlier = deliveries_table.alias("earlier")
        behind = exists(
            select(earlier.c.id).where(
                earlier.c.channel == deliveries_table.c.channel,
                earlier.c.address == deliveries_table.c.address,
                earlier.c.id < deliveries_table.c.id,
                or_(
                    earlier.c.state == DeliveryState.SENDING.value,
                    and_(earlier.c.state == DeliveryState.GATHERING.value, earlier.c.due_at <= now),
                ),
            )
        )
        rows = self._session.execute(
            select(deliveries_table)
            .where(_UNSENT, deliveries_table.c.due_at <= now, ~behind)
            .order_by(
                deliveries_table.c.id + 0
            )  # few are unsent: better sort those than walk the log
            .limit(limit)
        )
        return [_delivery(row) for row in rows]

    def claim(self, delivery: Delivery, until: datetime) -> Delivery | None:
        row = self._session.execute(
            update(deliveries_table)
            .where(
                deliveries_table.c.id == delivery.id,
                deliveries_table.c.attempts == delivery.attempts,
                _UNSENT,
            )
            .values(
                state=DeliveryState.SENDING.value,
                attempts=deliveries_table.c.attempts + 1,
                due_at=until,
            )
            .returning(deliveries_table)
        ).first()
        return None if row is None else _delivery(row)

    def get(self, delivery: int) -> Delivery | None:
        row = self._session.execute(
            select(deliveries_table).where(deliveries_table.c.id == delivery)
        ).first()
        return None if row is None else _delivery(row)

    def find(self, query: DeliveryQuery) -> list[Delivery]:
        wanted = select(deliveries_table).order_by(deliveries_table.c.id.desc()).limit(query.limit)
        if query.channel is not None:
            wanted = wanted.where(deliveries_table.c.channel == storable(query.channel))
        if query.address is not None:
            wanted = wanted.where(deliveries_table.c.address == storable(query.address))
        if query.states:
            wanted = wanted.where(deliveries_table.c.state.in_(query.states))
        if query.since is not None:
            wanted = wanted.where(deliveries_table.c.created_at >= query.since)
        if query.before is not None:
            wanted = wanted.where(deliveries_table.c.id < query.before)
        if query.decision is not None:
            # Canonical JSON: a quote within a text is escaped, so that only the field itself is found.
            held = type_coerce(deliveries_table.c.notices, Text)
            wanted = wanted.where(held.contains(f'"decision":{query.decision:d},', autoescape=True))
        return [_delivery(row) for row in self._session.execute(wanted)]


def _delivery(row: Row[Any]) -> Delivery:
    notices = tuple(Notice(**{**one, "at": parse_time(one["at"])}) for one in row.notices)
    state = DeliveryState(row.state)
    return Delivery(**{**row._asdict(), "state": state, "notices": notices})


class SqlSilences:
    """One row a silence."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, silence: Silence) -> Silence:
        values = {name: value for name, value in asdict(silence).items() if name != "id"}
        row = self._session.execute(
            self._session.insert(silences_table)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(silences_table.c.id)
        ).first()
        if row is not None:
            return replace(silence, id=row.id)
        known = select(silences_table).where(silences_table.c.key == storable(silence.key or ""))
        return Silence(**self._session.execute(known).one()._asdict())

    def get(self, silence: int) -> Silence | None:
        row = self._session.execute(
            select(silences_table).where(silences_table.c.id == silence)
        ).first()
        return None if row is None else Silence(**row._asdict())

    def end(self, silence: int, at: datetime) -> bool:
        row = self._session.execute(
            update(silences_table)
            .where(silences_table.c.id == silence, silences_table.c.ends_at > at)
            .values(ends_at=at)
            .returning(silences_table.c.id)
        ).first()
        return row is not None

    def active(self, now: datetime) -> list[Silence]:
        rows = self._session.execute(
            select(silences_table)
            .where(silences_table.c.created_at <= now, silences_table.c.ends_at > now)
            .order_by(silences_table.c.ends_at, silences_table.c.id)
        )
        return [Silence(**row._asdict()) for row in rows]

    def find(self, limit: int = 100) -> list[Silence]:
        rows = self._session.execute(
            select(silences_table).order_by(silences_table.c.id.desc()).limit(limit)
        )
        return [Silence(**row._asdict()) for row in rows]
