"""The data catalog in SQL. The figures of a model's data are kept beside it, for every decision reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import batches_table, data_sources_table
from controller.domain.data import view_of
from controller.domain.errors import NotFound
from controller.domain.snapshot import DataView
from controller.ports import Batch


class SqlData:
    """Batches are numbered under the lock of their source's row."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, model: str, new: Sequence[Batch], at: datetime) -> list[Batch]:
        source = self._source(model)
        fresh: list[Batch] = []
        for batch in new:
            sequence = source.through + len(fresh) + 1
            numbered = replace(batch, sequence=sequence, seen_at=batch.seen_at or at)
            if self._add(model, numbered):
                fresh.append(numbered)
        if fresh:
            self._count(model, fresh[-1].sequence)
        return fresh

    def _add(self, model: str, batch: Batch) -> bool:
        row = self._session.execute(
            self._session.insert(batches_table)
            .values(
                model=model,
                sequence=batch.sequence,
                uri=batch.uri,
                digest=batch.digest,
                size=batch.size,
                rows=batch.rows,
                columns=batch.schema,
                seen_at=batch.seen_at,
                quarantined=batch.quarantined,
                details=batch.details,
            )
            .on_conflict_do_nothing(index_elements=["model", "uri", "digest"])
            .returning(batches_table.c.sequence)
        ).first()
        return row is not None

    def batches(self, model: str, through: int | None = None) -> list[Batch]:
        newest = _newest(model, through).subquery()
        rows = self._session.execute(
            select(batches_table)
            .where(batches_table.c.model == model)
            .join(newest, batches_table.c.sequence == newest.c.sequence)
            .order_by(batches_table.c.sequence)
        )
        return [_batch(row) for row in rows]

    def quarantined(self, model: str) -> list[Batch]:
        rows = self._session.execute(
            select(batches_table)
            .where(batches_table.c.model == model, batches_table.c.quarantined != "")
            .order_by(batches_table.c.sequence)
        )
        return [_batch(row) for row in rows]

    def view(self, model: str) -> DataView:
        row = self._session.execute(
            select(data_sources_table).where(data_sources_table.c.model == model)
        ).first()
        if row is None:
            return DataView()
        return DataView(through=row.through, batches=row.batches, rows=row.rows, digest=row.digest)

    def cursor(self, model: str) -> str | None:
        row = self._session.execute(
            select(data_sources_table.c.cursor).where(data_sources_table.c.model == model)
        ).first()
        return None if row is None else row.cursor

    def set_cursor(self, model: str, cursor: str) -> None:
        self._session.execute(
            self._session.insert(data_sources_table)
            .values(model=model, cursor=cursor)
            .on_conflict_do_update(index_elements=["model"], set_={"cursor": cursor})
        )

    def quarantine(self, model: str, sequence: int, reason: str) -> None:
        source = self._source(model)
        result = self._session.execute(
            update(batches_table)
            .where(batches_table.c.model == model, batches_table.c.sequence == sequence)
            .values(quarantined=reason)
        )
        if result.rowcount == 0:
            raise NotFound(f"{model} has no batch {sequence}.")
        self._count(model, source.through)

    def _source(self, model: str) -> Row[Any]:
        """The source's row, locked; made if it is not there."""
        new = self._session.insert(data_sources_table).values(model=model)
        self._session.execute(new.on_conflict_do_nothing(index_elements=["model"]))
        return self._session.execute(
            select(data_sources_table).where(data_sources_table.c.model == model).with_for_update()
        ).one()

    def _count(self, model: str, through: int) -> None:
        """Work out anew what the data amount to, from three columns and not from whole batches."""
        newest = _newest(model, None).subquery()
        rows = self._session.execute(
            select(batches_table.c.uri, batches_table.c.digest, batches_table.c.rows)
            .where(batches_table.c.model == model)
            .join(newest, batches_table.c.sequence == newest.c.sequence)
            .order_by(batches_table.c.sequence)
        )
        view = view_of(through, [(row.uri, row.digest, row.rows) for row in rows])
        self._session.execute(
            update(data_sources_table)
            .where(data_sources_table.c.model == model)
            .values(through=view.through, batches=view.batches, rows=view.rows, digest=view.digest)
        )


def _newest(model: str, through: int | None) -> Select[Any]:
    """Of each uri the number of its newest batch that may be used."""
    statement = (
        select(func.max(batches_table.c.sequence).label("sequence"))
        .where(batches_table.c.model == model, batches_table.c.quarantined == "")
        .group_by(batches_table.c.uri)
    )
    return statement if through is None else statement.where(batches_table.c.sequence <= through)


def _batch(row: Row[Any]) -> Batch:
    # Two columns are called what a row's own methods or keywords are called: they are read by name.
    columns = row._mapping  # noqa: SLF001 - the documented way to read a row by name
    return Batch(
        uri=row.uri,
        digest=row.digest,
        size=row.size,
        rows=columns["rows"],
        schema=columns["columns"],
        seen_at=row.seen_at,
        sequence=row.sequence,
        quarantined=row.quarantined,
        details=row.details,
    )
