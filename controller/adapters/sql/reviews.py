"""Evidence of reviews in SQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import reviews_table
from controller.ports import ReviewRecord


class SqlReviews:
    """Records by digest; none is ever changed (a guard of the database sees to it)."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def put(self, record: ReviewRecord) -> None:
        self._session.execute(
            self._session.insert(reviews_table)
            .values(**asdict(record))
            .on_conflict_do_nothing(index_elements=["digest"])
        )

    def get(self, digest: str) -> ReviewRecord | None:
        row = self._session.execute(
            select(reviews_table).where(reviews_table.c.digest == digest)
        ).first()
        return None if row is None else _record(row)

    def newest_proven(self, source: str) -> ReviewRecord | None:
        row = self._session.execute(
            select(reviews_table)
            .where(reviews_table.c.source == source, reviews_table.c.proven)
            .order_by(reviews_table.c.id.desc())
            .limit(1)
        ).first()
        return None if row is None else _record(row)

    def latest(self, source: str | None = None, limit: int = 20) -> list[ReviewRecord]:
        chosen = select(reviews_table).order_by(reviews_table.c.id.desc()).limit(limit)
        if source is not None:
            chosen = chosen.where(reviews_table.c.source == source)
        return [_record(row) for row in self._session.execute(chosen)]


def _record(row: Row[Any]) -> ReviewRecord:
    return ReviewRecord(
        digest=row.digest,
        source=row.source,
        revision=row.revision,
        proven=bool(row.proven),
        recorded_at=row.recorded_at,
        reason=row.reason,
        evidence=row.evidence,
    )
