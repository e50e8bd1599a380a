"""How sources fare, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import source_hints_table, source_states_table
from controller.ports import SourceState

_COLUMNS = tuple(field.name for field in fields(SourceState))


class SqlSources:
    """One row a source, by the first of the models that read it."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def note(self, states: Sequence[SourceState]) -> None:
        insert = self._session.insert(source_states_table)
        changes = {name: insert.excluded[name] for name in _COLUMNS if name != "model"}
        upsert = insert.on_conflict_do_update(index_elements=["model"], set_=changes)
        # In one order, so that two who note the same sources do not wait for each other.
        rows = [asdict(state) for state in sorted(states, key=lambda state: state.model)]
        if rows:
            self._session.execute(upsert, rows)

    def forget(self, keep: Sequence[str]) -> None:
        known = set(self._session.execute(select(source_states_table.c.model)).scalars())
        gone = [{"gone": model} for model in sorted(known.difference(keep))]
        if gone:
            mine = source_states_table.c.model == bindparam("gone")
            self._session.execute(delete(source_states_table).where(mine), gone)

    def all(self) -> list[SourceState]:
        rows = self._session.execute(
            select(source_states_table).order_by(source_states_table.c.model)
        )
        return [
            SourceState(
                model=row.model,
                source=row.source,
                checked_at=row.checked_at,
                good_at=row.good_at,
                error=row.error,
                failures=row.failures,
                problems=tuple(row.problems),
            )
            for row in rows
        ]


class SqlHints:
    """One row a model: the newest hint."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def hint(self, models: Sequence[str], at: datetime) -> None:
        for model in sorted(models):
            self._session.execute(
                self._session.insert(source_hints_table)
                .values(model=model, at=at)
                .on_conflict_do_update(index_elements=["model"], set_={"at": at})
            )

    def hinted(self) -> Mapping[str, datetime]:
        return {row.model: row.at for row in self._session.execute(select(source_hints_table))}
