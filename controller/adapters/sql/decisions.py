"""The decision log in SQL. The guards see to it that a record follows the head and is never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, insert, select, update

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import anchored_table, chain_head_table, decisions_table
from controller.domain.chain import seal
from controller.domain.decisions import DecisionRecord, RulesRef
from controller.ports import NewDecision, Query

_HEAD = select(chain_head_table).with_for_update()
_RECORD = insert(decisions_table)
PAGE = 200
"""Records that a walk holds at once; a snapshot is a few kilobytes."""


class SqlDecisions:
    """Appends under the lock of the chain's head, so that numbers have no gaps and hashes no forks."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def record(self, decision: NewDecision) -> DecisionRecord:
        head = self._session.execute(_HEAD).one()
        record = seal(
            DecisionRecord(
                id=head.decision + 1,
                model=decision.model,
                decided_at=decision.decided_at,
                rules=decision.rules,
                snapshot=decision.snapshot,
                decision=decision.decision,
                prev_hash=head.hash,
                hash="",
                actor=decision.actor,
            )
        )
        self._session.execute(
            _RECORD,
            {
                "id": record.id,
                "model": record.model,
                "decided_at": record.decided_at,
                "verdict": json.loads(record.decision).get("verdict", "none"),
                "path": record.rules.path,
                "blob": record.rules.blob,
                "revision": record.rules.revision,
                "review": record.rules.review,
                "reviewers": record.rules.reviewers,
                "snapshot": record.snapshot,
                "decision": record.decision,
                "actor": record.actor,
                "prev_hash": record.prev_hash,
                "hash": record.hash,
            },
        )
        return record

    def get(self, decision: int) -> DecisionRecord | None:
        row = self._session.execute(
            select(decisions_table).where(decisions_table.c.id == decision)
        ).first()
        return None if row is None else _record(row)

    def find(self, query: Query) -> list[DecisionRecord]:
        statement = select(decisions_table).order_by(decisions_table.c.id.desc()).limit(query.limit)
        if query.model is not None:
            statement = statement.where(decisions_table.c.model == query.model)
        if query.kinds:
            statement = statement.where(decisions_table.c.verdict.in_(query.kinds))
        if query.since is not None:
            statement = statement.where(decisions_table.c.decided_at >= query.since)
        if query.until is not None:
            statement = statement.where(decisions_table.c.decided_at < query.until)
        if query.before is not None:
            statement = statement.where(decisions_table.c.id < query.before)
        return [_record(row) for row in self._session.execute(statement)]

    def head(self) -> tuple[int, str]:
        row = self._session.execute(select(chain_head_table)).one()
        return row.decision, row.hash

    def walk(self, start: int = 1, model: str | None = None) -> Iterator[DecisionRecord]:
        after = start - 1
        while True:
            statement = (
                select(decisions_table)
                .where(decisions_table.c.id > after)
                .order_by(decisions_table.c.id)
                .limit(PAGE)
            )
            if model is not None:
                statement = statement.where(decisions_table.c.model == model)
            rows = self._session.execute(statement).all()
            yield from map(_record, rows)
            if len(rows) < PAGE:
                return
            after = rows[-1].id

    def anchored(self) -> tuple[int, str] | None:
        row = self._session.execute(select(anchored_table)).first()
        return None if row is None else (row.decision, row.hash)

    def remember_anchor(self, decision: int, hash_: str) -> None:
        new = self._session.insert(anchored_table).values(id=1, decision=decision, hash=hash_)
        self._session.execute(new.on_conflict_do_nothing(index_elements=["id"]))
        self._session.execute(
            update(anchored_table)
            .where(anchored_table.c.decision < decision)
            .values(decision=decision, hash=hash_)
        )


def _record(row: Row[Any]) -> DecisionRecord:
    return DecisionRecord(
        id=row.id,
        model=row.model,
        decided_at=row.decided_at,
        rules=RulesRef(
            path=row.path,
            blob=row.blob,
            revision=row.revision,
            review=row.review,
            reviewers=tuple(row.reviewers),
        ),
        snapshot=row.snapshot,
        decision=row.decision,
        prev_hash=row.prev_hash,
        hash=row.hash,
        actor=row.actor,
    )
