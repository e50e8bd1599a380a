"""Marks in SQL: written beside the signals of people where a store holds signing keys, and checked by whoever decides.

Signals from before there were marks are believed up to a number that is kept, sealed by a key, when the first signal
is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, exists, func, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import marked_since_table, signals_table
from controller.adapters.sql.types import storable
from controller.domain.canonical import canonical_json, digest
from controller.domain.marks import Said, SigningKeys, needs_mark
from controller.domain.signals import NewSignal, SignalStatus
from controller.ports import SignalProof


def mark_of(session: SqlSession, new: NewSignal) -> str | None:
    """The mark that the row of a new signal gets; None where it needs none, or this process holds no key."""
    keys = session.keys
    if keys is None or not needs_mark(new.kind.value, new.actor):
        return None
    _start(session, keys)
    return keys.mark(
        Said(
            key=storable(new.key),
            model=storable(new.model),
            kind=new.kind.value,
            trigger=None if new.trigger is None else storable(new.trigger),
            actor=storable(new.actor),
            at=new.occurred_at,
            payload=storable(canonical_json(new.payload)),
        )
    )


def mark_problem(session: SqlSession, row: Row[Any]) -> str:
    """Why the signal in ``row`` is not believed; empty where it is, or where this process holds no key.

    The payload of the row is its text.
    """
    keys = session.keys
    if keys is None or not needs_mark(row.kind, row.actor):
        return ""
    problem = keys.problem(_said(row), row.mark)
    if problem and row.mark is None and row.id <= _start(session, keys):
        return ""
    return problem


def proof_of(session: SqlSession, row: Row[Any]) -> SignalProof:
    """The signal in ``row`` as it can be held against the log; the payload of the row is its text."""
    unchecked = bool(row.mark and session.keys is not None and not session.keys.knows(row.mark))
    return SignalProof(
        id=row.id,
        digest=_digest(row),
        status=SignalStatus(row.status),
        reason=row.reason,
        decision=row.decision,
        problem="" if unchecked else mark_problem(session, row),
        unchecked=unchecked,
    )


def _digest(row: Row[Any]) -> str:
    """SHA-256 over what a signal's row says, its mark included, and nothing of its answer."""
    return digest([row.id, row.received_at, row.mark, _said(row)])


def _said(row: Row[Any]) -> Said:
    return Said(
        key=row.key,
        model=row.model,
        kind=row.kind,
        trigger=row.trigger_name,
        actor=row.actor,
        at=row.occurred_at,
        payload=row.payload,
    )


def _start(session: SqlSession, keys: SigningKeys) -> int:
    """The last signal that needs no mark. Kept now, as the newest one, if no signal was ever marked.

    A number that no key of ours sealed is no number: then every signal needs its mark.
    """
    row = session.execute(select(marked_since_table)).first()
    if row is not None:
        return int(row.signal) if keys.opens(row.signal, row.mark) else 0
    if session.execute(select(exists().where(signals_table.c.mark.is_not(None)))).scalar_one():
        return 0
    newest = int(
        session.execute(select(func.coalesce(func.max(signals_table.c.id), 0))).scalar_one()
    )
    if session.writes:
        values: Mapping[str, Any] = {"id": 1, "signal": newest, "mark": keys.seal_start(newest)}
        new = session.insert(marked_since_table).values(values)
        session.execute(new.on_conflict_do_nothing(index_elements=["id"]))
    return newest
