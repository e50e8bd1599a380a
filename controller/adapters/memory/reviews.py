"""Evidence of reviews in memory."""

from __future__ import annotations

from controller.adapters.memory.tables import Tables
from controller.ports import ReviewRecord


class MemoryReviews:
    """Records by digest, in order of entry."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, record: ReviewRecord) -> None:
        if record.digest not in self._tables.reviews:
            self._tables.reviews[record.digest] = record

    def get(self, digest: str) -> ReviewRecord | None:
        return self._tables.reviews.get(digest)

    def newest_proven(self, source: str) -> ReviewRecord | None:
        return next(
            (r for r in self._tables.reviews.newest() if r.proven and r.source == source), None
        )

    def latest(self, source: str | None = None, limit: int = 20) -> list[ReviewRecord]:
        found = [r for r in self._tables.reviews.newest() if source in {None, r.source}]
        return found[:limit]
