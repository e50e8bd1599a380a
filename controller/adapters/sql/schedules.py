"""Schedules in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import schedules_table


class SqlSchedules:
    """One row a model and trigger."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def next_due(self, model: str, trigger: str) -> tuple[datetime, str] | None:
        row = self._session.execute(
            select(schedules_table.c.due, schedules_table.c.definition).where(
                schedules_table.c.model == model, schedules_table.c.trigger_name == trigger
            )
        ).first()
        return None if row is None else (row.due, row.definition)

    def set_next(self, model: str, trigger: str, due: datetime, definition: str) -> None:
        self._session.execute(
            self._session.insert(schedules_table)
            .values(model=model, trigger_name=trigger, due=due, definition=definition)
            .on_conflict_do_update(
                index_elements=["model", "trigger_name"],
                set_={"due": due, "definition": definition},
            )
        )

    def forget(self, model: str, keep: Sequence[str]) -> None:
        self._session.execute(
            delete(schedules_table).where(
                schedules_table.c.model == model, schedules_table.c.trigger_name.not_in(list(keep))
            )
        )
