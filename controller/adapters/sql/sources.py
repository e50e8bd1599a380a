"""How sources fare, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, select

from controller.adapters.sql.session import Session
from controller.adapters.sql.tables import source_hints, source_states
from controller.ports import SourceState


class SqlSources:
    """One row a model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(self, state: SourceState) -> None:
        values = asdict(state)
        changes = {name: value for name, value in values.items() if name != "model"}
        self._session.execute(
            self._session.insert(source_states)
            .values(**values)
            .on_conflict_do_update(index_elements=["model"], set_=changes)
        )

    def forget(self, keep: Sequence[str]) -> None:
        self._session.execute(delete(source_states).where(source_states.c.model.not_in(list(keep))))

    def all(self) -> list[SourceState]:
        rows = self._session.execute(select(source_states).order_by(source_states.c.model))
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

    def __init__(self, session: Session) -> None:
        self._session = session

    def hint(self, models: Sequence[str], at: datetime) -> None:
        for model in sorted(models):
            self._session.execute(
                self._session.insert(source_hints)
                .values(model=model, at=at)
                .on_conflict_do_update(index_elements=["model"], set_={"at": at})
            )

    def hinted(self) -> Mapping[str, datetime]:
        return {row.model: row.at for row in self._session.execute(select(source_hints))}
