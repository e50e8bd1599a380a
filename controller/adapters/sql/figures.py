"""Sums over the books in SQL: nothing wide is read, and nothing twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import func, or_, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import decisions_table, runs_table
from controller.ports import RunFigure

_MOST_UNENDED = 10_000
"""Databases bound the length of a list; so many unended runs are a trouble of another kind."""


class SqlFigures:
    """Two aggregates behind primary keys."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def verdicts(self, after: int = 0) -> tuple[int, Mapping[tuple[str, str], int]]:
        rows = self._session.execute(
            select(
                decisions_table.c.model,
                decisions_table.c.verdict,
                func.count().label("number"),
                func.max(decisions_table.c.id).label("last"),
            )
            .where(decisions_table.c.id > after)
            .group_by(decisions_table.c.model, decisions_table.c.verdict)
        ).all()
        last = max((row.last for row in rows), default=after)
        return last, {(row.model, row.verdict): row.number for row in rows}

    def runs(self, after: int = 0, unended: Collection[int] = ()) -> list[RunFigure]:
        known = sorted(unended)[:_MOST_UNENDED]
        now = self._session.execute(select(self._session.now())).scalar_one()
        rows = self._session.execute(
            select(
                runs_table.c.entry,
                runs_table.c.model,
                runs_table.c.kind,
                runs_table.c.state,
                runs_table.c.ordered_at,
                runs_table.c.started_at,
                runs_table.c.ended_at,
            )
            .where(or_(runs_table.c.entry > after, runs_table.c.entry.in_(known)))
            .order_by(runs_table.c.entry)
        )
        return [
            RunFigure(
                entry=row.entry,
                model=row.model,
                kind=row.kind,
                state=row.state,
                waited=(row.started_at - row.ordered_at).total_seconds()
                if row.started_at
                else None,
                seconds=(row.ended_at - row.started_at).total_seconds()
                if row.started_at and row.ended_at
                else None,
                age=(now - row.ordered_at).total_seconds(),
            )
            for row in rows
        ]
