"""What was published to a team's registry, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Column, Integer, Table, delete, or_, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import metadata
from controller.adapters.sql.types import BIG, UtcTime, Words, storable
from controller.domain.publication import Publication, Sent

publications = Table(
    "publications",
    metadata,
    Column("model", Words, primary_key=True),
    Column("place", Words, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("alias", Integer),
    Column("decision", BIG, nullable=False),
    Column("checked_at", UtcTime),
    Column("drift", Words, nullable=False),
    Column("drift_at", UtcTime),
    Column("drift_key", Words, nullable=False),
    Column("settled", Words, nullable=False),
    Column("error", Words, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("look_at", UtcTime),
)

published_versions = Table(
    "published_versions",
    metadata,
    Column("model", Words, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("remote", Integer, nullable=False),
    Column("digest", Words, nullable=False),
)


class SqlPublications:
    """One row a model, one a version of it."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def get(self, model: str) -> Publication | None:
        row = self._session.execute(
            select(publications).where(publications.c.model == storable(model))
        ).first()
        return None if row is None else Publication(**row._asdict())

    def put(self, publication: Publication) -> None:
        values = asdict(publication)
        new = self._session.insert(publications).values(**values)
        self._session.execute(
            new.on_conflict_do_update(
                index_elements=["model"],
                set_={name: new.excluded[name] for name in values if name != "model"},
            )
        )

    def all(self) -> list[Publication]:
        rows = self._session.execute(select(publications))
        return sorted((Publication(**row._asdict()) for row in rows), key=lambda p: p.model)

    def hint(self, model: str, at: datetime, since: datetime) -> bool:
        """One statement, so that nothing that the publisher writes meanwhile is lost."""
        seen, look = publications.c.checked_at, publications.c.look_at
        done = self._session.execute(
            update(publications)
            .where(publications.c.model == storable(model))
            .where(or_(seen.is_(None), seen <= since), or_(look.is_(None), look > at))
            .values(look_at=at)
        )
        return bool(done.rowcount)

    def sent(self, model: str) -> Mapping[int, Sent]:
        rows = self._session.execute(
            select(published_versions)
            .where(published_versions.c.model == storable(model))
            .order_by(published_versions.c.number)
        )
        return {row.number: Sent(remote=row.remote, digest=row.digest) for row in rows}

    def note(self, model: str, number: int, sent: Sent) -> None:
        new = self._session.insert(published_versions).values(
            model=model, number=number, remote=sent.remote, digest=sent.digest
        )
        self._session.execute(
            new.on_conflict_do_update(
                index_elements=["model", "number"],
                set_={"remote": new.excluded.remote, "digest": new.excluded.digest},
            )
        )

    def forget(self, model: str) -> None:
        self._session.execute(
            delete(published_versions).where(published_versions.c.model == storable(model))
        )
