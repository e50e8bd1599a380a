"""Which controllers live, and what was counted, in SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from controller.adapters.sql import worker_calls
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import controllers_table, counters_table
from controller.ports import FORGOTTEN, ControllerRow


class SqlControllers:
    """One row a process."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def beat(self, controller: ControllerRow) -> None:
        values = {
            "host": controller.host,
            "pid": controller.pid,
            "version": controller.version,
            "started_at": controller.started_at,
            "seen_at": self._session.now(),
        }
        self._session.execute(
            self._session.insert(controllers_table)
            .values(owner=controller.owner, **values)
            .on_conflict_do_update(index_elements=["owner"], set_=values)
        )
        long_ago = controllers_table.c.seen_at <= self._session.later(-FORGOTTEN)
        self._session.execute(delete(controllers_table).where(long_ago))

    def leave(self, owner: str) -> None:
        self._session.execute(delete(controllers_table).where(controllers_table.c.owner == owner))

    def all(self) -> list[ControllerRow]:
        fresh = controllers_table.c.seen_at > self._session.later(-FORGOTTEN)
        rows = self._session.execute(
            select(controllers_table).where(fresh).order_by(controllers_table.c.owner)
        )
        return [
            ControllerRow(
                owner=row.owner,
                host=row.host,
                pid=row.pid,
                version=row.version,
                started_at=row.started_at,
                seen_at=row.seen_at,
            )
            for row in rows
        ]


class SqlCounters:
    """One row a name."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, name: str, by: int = 1) -> None:
        if self._session.postgres:
            worker_calls.count_up(self._session, name, by)
            return
        self._session.execute(
            self._session.insert(counters_table)
            .values(name=name, value=by)
            .on_conflict_do_update(
                index_elements=["name"], set_={"value": counters_table.c.value + by}
            )
        )

    def all(self) -> Mapping[str, int]:
        rows = self._session.execute(select(counters_table).order_by(counters_table.c.name))
        return {row.name: row.value for row in rows}
