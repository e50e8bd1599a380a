"""Leases in SQL."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import and_, case, or_, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import leases_table
from controller.domain.errors import Fenced
from controller.ports import FARTHEST, Lease


class SqlLeases:
    """One row a name; it stays when the lease ends, so that the fence only rises."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        now, until = self._session.now(), self._session.later(ttl)
        lives = and_(leases_table.c.owner == owner, leases_table.c.until > now)
        free = or_(
            leases_table.c.until <= now, leases_table.c.until > self._session.later(FARTHEST)
        )
        row = self._session.execute(
            update(leases_table)
            .where(leases_table.c.name == name, or_(leases_table.c.owner == owner, free))
            .values(
                owner=owner,
                fence=case((lives, leases_table.c.fence), else_=leases_table.c.fence + 1),
                until=until,
            )
            .returning(leases_table.c.fence)
        ).first()
        if row is None:
            new = self._session.insert(leases_table).values(
                name=name, owner=owner, fence=1, until=until
            )
            row = self._session.execute(
                new.on_conflict_do_nothing(index_elements=["name"]).returning(leases_table.c.fence)
            ).first()
        return None if row is None else Lease(name=name, owner=owner, fence=row.fence)

    def check(self, lease: Lease) -> None:
        statement = select(
            leases_table.c.owner,
            leases_table.c.fence,
            (leases_table.c.until > self._session.now()).label("lives"),
        ).where(leases_table.c.name == lease.name)
        if self._session.writes:
            # Whoever wants to take the lease over waits until this transaction has ended.
            statement = statement.with_for_update(read=True)
        row = self._session.execute(statement).first()
        if row is None or (row.owner, row.fence) != (lease.owner, lease.fence):
            raise Fenced(f"The lease on {lease.name} has gone to somebody else.")
        if not row.lives:
            raise Fenced(f"The lease on {lease.name} has run out.")

    def release(self, lease: Lease) -> None:
        self._session.execute(
            update(leases_table)
            .where(
                leases_table.c.name == lease.name,
                leases_table.c.owner == lease.owner,
                leases_table.c.fence == lease.fence,
            )
            .values(owner="", until=self._session.now())
        )

    def holder(self, name: str) -> str | None:
        row = self._session.execute(
            select(leases_table.c.owner).where(
                leases_table.c.name == name,
                leases_table.c.until > self._session.now(),
                leases_table.c.until <= self._session.later(FARTHEST),
            )
        ).first()
        return None if row is None else row.owner
