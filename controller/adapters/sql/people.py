"""Tokens, delegations and comments in SQL."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import (
    comments_table,
    delegations_table,
    nonces_table,
    tokens_table,
)
from controller.adapters.sql.types import storable
from controller.domain.errors import Conflict
from controller.ports import Comment, Delegation, Token


class SqlTokens:
    """One row a token; the secret itself is never written."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def issue(self, token: Token) -> Token:
        values = {name: value for name, value in asdict(token).items() if name != "id"}
        row = self._session.execute(
            self._session.insert(tokens_table)
            .values(**values)
            .on_conflict_do_nothing()
            .returning(tokens_table.c.id)
        ).first()
        if row is None:
            raise Conflict("There is a token with that digest or key.")
        return replace(token, id=row.id)

    def by_digest(self, digest: str) -> Token | None:
        row = self._session.execute(
            select(tokens_table).where(tokens_table.c.digest == digest)
        ).first()
        return None if row is None else _token(row)

    def all(self) -> list[Token]:
        rows = self._session.execute(select(tokens_table).order_by(tokens_table.c.id.desc()))
        return [_token(row) for row in rows]

    def revoke(self, token: int, at: datetime) -> bool:
        row = self._session.execute(
            update(tokens_table)
            .where(tokens_table.c.id == token, tokens_table.c.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(tokens_table.c.id)
        ).first()
        return row is not None


class SqlNonces:
    """One row for each name that was used, until it could not be shown again."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def use(self, kind: str, name: str, *, until: datetime, at: datetime) -> bool:
        self._session.execute(
            delete(nonces_table).where(nonces_table.c.kind == kind, nonces_table.c.ends_at < at)
        )
        row = self._session.execute(
            self._session.insert(nonces_table)
            .values(kind=kind, name=name, ends_at=until)
            .on_conflict_do_nothing()
            .returning(nonces_table.c.name)
        ).first()
        return row is not None

    def used(self, kind: str, name: str) -> bool:
        query = select(nonces_table.c.name).where(
            nonces_table.c.kind == kind, nonces_table.c.name == name
        )
        return self._session.execute(query).first() is not None


class SqlDelegations:
    """One row a delegation."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, delegation: Delegation) -> Delegation:
        values = {name: value for name, value in asdict(delegation).items() if name != "id"}
        self._session.execute(
            self._session.insert(delegations_table)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["key"])
        )
        row = self._session.execute(
            select(delegations_table).where(delegations_table.c.key == storable(delegation.key))
        ).one()
        return Delegation(**row._asdict())

    def to(self, person: str) -> list[Delegation]:
        rows = self._session.execute(
            select(delegations_table)
            .where(
                delegations_table.c.to == storable(person), delegations_table.c.revoked_at.is_(None)
            )
            .order_by(delegations_table.c.id)
        )
        return [Delegation(**row._asdict()) for row in rows]

    def all(self, limit: int = 200) -> list[Delegation]:
        rows = self._session.execute(
            select(delegations_table).order_by(delegations_table.c.id.desc()).limit(limit)
        )
        return [Delegation(**row._asdict()) for row in rows]

    def revoke(self, delegation: int, at: datetime) -> bool:
        row = self._session.execute(
            update(delegations_table)
            .where(delegations_table.c.id == delegation, delegations_table.c.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(delegations_table.c.id)
        ).first()
        return row is not None


class SqlComments:
    """One row a comment, under a key that a second press of the button does not change."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add(self, comment: Comment) -> Comment:
        values = {name: value for name, value in asdict(comment).items() if name != "id"}
        self._session.execute(
            self._session.insert(comments_table)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["key"])
        )
        row = self._session.execute(
            select(comments_table).where(comments_table.c.key == storable(comment.key))
        ).one()
        return _comment(row)

    def of(self, subject: str, limit: int = 500) -> list[Comment]:
        rows = self._session.execute(
            select(comments_table)
            .where(comments_table.c.subject == storable(subject))
            .order_by(comments_table.c.id)
            .limit(limit)
        )
        return [_comment(row) for row in rows]

    def latest(self, limit: int = 200) -> list[Comment]:
        rows = self._session.execute(
            select(comments_table).order_by(comments_table.c.id.desc()).limit(limit)
        )
        return [_comment(row) for row in rows]

    def uncovered(self, limit: int = 500) -> list[Comment]:
        rows = self._session.execute(
            select(comments_table)
            .where(comments_table.c.decision.is_(None))
            .order_by(comments_table.c.id)
            .limit(limit)
        )
        return [_comment(row) for row in rows]

    def cover(self, numbers: Collection[int], decision: int) -> None:
        self._session.execute(
            update(comments_table).where(comments_table.c.id.in_(numbers)).values(decision=decision)
        )

    def numbered(self, numbers: Collection[int]) -> list[Comment]:
        rows = self._session.execute(select(comments_table).where(comments_table.c.id.in_(numbers)))
        return [_comment(row) for row in rows]


def _token(row: Row[Any]) -> Token:
    return Token(**{**row._asdict(), "owners": tuple(row.owners)})


def _comment(row: Row[Any]) -> Comment:
    return Comment(**{name: value for name, value in row._asdict().items() if name != "decision"})
