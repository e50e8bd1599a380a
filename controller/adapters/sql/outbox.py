"""The outbox in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import outbox_table
from controller.ports import FARTHEST, Letter

_WAITING = outbox_table.c.acknowledged_at.is_(None)


def finish_message(session: SqlSession, topic: str, key: str) -> None:
    """The letter of that key, if there is one, has arrived for good."""
    session.execute(
        update(outbox_table)
        .where(outbox_table.c.topic == topic, outbox_table.c.key == key, _WAITING)
        .values(acknowledged_at=session.now())
    )


class SqlOutbox:
    """An acknowledged letter stays, so that its key is known; an index leaves it out."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def put(self, topic: str, key: str, payload: Mapping[str, Any]) -> None:
        new = self._session.insert(outbox_table).values(
            topic=topic, key=key, payload=payload, due_at=self._session.now()
        )
        self._session.execute(new.on_conflict_do_nothing(index_elements=["topic", "key"]))

    def due(self, topic: str, limit: int = 100) -> list[Letter]:
        rows = self._session.execute(
            select(outbox_table)
            .where(
                outbox_table.c.topic == topic,
                or_(
                    outbox_table.c.due_at <= self._session.now(),
                    outbox_table.c.due_at > self._session.later(FARTHEST),
                ),
                _WAITING,
            )
            .order_by(outbox_table.c.due_at, outbox_table.c.id)
            .limit(limit)
        )
        return [_letter(row) for row in rows]

    def postpone(self, letter: int, delay: timedelta, error: str = "") -> None:
        self._session.execute(
            update(outbox_table)
            .where(outbox_table.c.id == letter, _WAITING)
            .values(
                attempts=outbox_table.c.attempts + 1,
                due_at=self._session.later(delay),
                last_error=error,
            )
        )

    def hasten(self, topic: str) -> None:
        self._session.execute(
            update(outbox_table)
            .where(
                outbox_table.c.topic == topic, outbox_table.c.due_at > self._session.now(), _WAITING
            )
            .values(due_at=self._session.now())
        )

    def acknowledge(self, letter: int) -> None:
        self._session.execute(
            update(outbox_table)
            .where(outbox_table.c.id == letter, _WAITING)
            .values(acknowledged_at=self._session.now())
        )

    def failing(self, limit: int = 100) -> list[Letter]:
        rows = self._session.execute(
            select(outbox_table)
            .where(outbox_table.c.last_error != "", _WAITING)
            .order_by(outbox_table.c.id)
            .limit(limit)
        )
        return [_letter(row) for row in rows]

    def depth(self) -> Mapping[str, int]:
        rows = self._session.execute(
            select(outbox_table.c.topic, func.count().label("letters"))
            .where(_WAITING)
            .group_by(outbox_table.c.topic)
        )
        return {row.topic: row.letters for row in rows}


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        id=row.id,
        topic=row.topic,
        key=row.key,
        payload=row.payload,
        attempts=row.attempts,
        due_at=row.due_at,
        last_error=row.last_error,
    )
