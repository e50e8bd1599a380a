"""What figures from service add up to, in SQL: one row an hour."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import measures_table
from controller.adapters.sql.types import storable
from controller.domain.decisions import RecordFigure
from controller.domain.records import WindowSums, figure

_SUMS = ("figures", "rows", "total", "within", "spread_rows", "plain", "squares")


class SqlMeasures:
    """Sums are added where they are, so that two writers lose nothing."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, model: str, action: RecordFigure, *, decision: int) -> None:
        del decision  # the figure stands in the decision's actions; this row only adds it up
        hour = int(action.at.timestamp() // 3600)
        new = asdict(figure(hour, action.value, action.rows, action.std))
        entry = self._session.insert(measures_table).values(
            model=model,
            version=action.version,
            metric=action.metric,
            hour=new.pop("index"),
            **new,
        )
        self._session.execute(
            entry.on_conflict_do_update(
                index_elements=["model", "version", "metric", "hour"],
                set_={name: measures_table.c[name] + entry.excluded[name] for name in _SUMS},
            )
        )

    def of(self, model: str, version: int, metric: str) -> list[WindowSums]:
        rows = self._session.execute(
            select(measures_table)
            .where(
                measures_table.c.model == model,
                measures_table.c.version == version,
                measures_table.c.metric == storable(metric),
            )
            .order_by(measures_table.c.hour)
        )
        return [WindowSums(index=row.hour, **{n: getattr(row, n) for n in _SUMS}) for row in rows]
