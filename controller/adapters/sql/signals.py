"""The inbox in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, func, select, type_coerce, update

from controller.adapters.sql.marking import mark_of, mark_problem, proof_of
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import signals_table
from controller.adapters.sql.types import is_one_of, storable, written
from controller.domain.errors import Conflict
from controller.domain.payloads import check_signals
from controller.domain.signals import (
    CAUSES,
    NewSignal,
    Signal,
    SignalAnswer,
    SignalIdentity,
    SignalKind,
    SignalStatus,
)
from controller.ports import Accepted, Query, SignalProof

ROWS_A_STATEMENT = 500
"""Rows in one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535."""

_COLUMNS = (
    *(column for column in signals_table.c if column.name != "payload"),
    type_coerce(signals_table.c.payload, Text).label("payload"),
)
"""A payload is read as text: one that is no JSON must not hide the other rows."""

WAITS = is_one_of(signals_table.c.status, SignalStatus.OPEN, SignalStatus.DEFERRED)
_OPEN = signals_table.c.status == written(SignalStatus.OPEN)
_OBSERVED = (SignalKind.DRIFT, SignalKind.DECAY, SignalKind.SKEW)
_DRIFT = is_one_of(signals_table.c.kind, *_OBSERVED)
_IDENTITY = (
    signals_table.c.model,
    signals_table.c.key,
    signals_table.c.kind,
    signals_table.c.actor,
)


class SqlSignals:
    """Identities are unique: the database tells what is new."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def append(self, new: Sequence[NewSignal], at: datetime) -> list[Accepted]:
        check_signals(new)
        accepted: list[Accepted] = []
        for start in range(0, len(new), ROWS_A_STATEMENT):
            accepted += self._append(new[start : start + ROWS_A_STATEMENT], at)
        return accepted

    def _row(self, signal: NewSignal, at: datetime) -> Mapping[str, Any]:
        return {**_row(signal, at), "mark": mark_of(self._session, signal)}

    def _append(self, new: Sequence[NewSignal], at: datetime) -> list[Accepted]:
        rows = {_identity(signal): self._row(signal, at) for signal in reversed(new)}
        insert = self._session.insert(signals_table).values(list(reversed(rows.values())))
        result = self._session.execute(
            insert.on_conflict_do_nothing(index_elements=_IDENTITY).returning(
                *_IDENTITY, signals_table.c.id
            )
        )
        fresh = {_known(row): row.id for row in result}
        ids = fresh | self._ids({one for one in rows if one not in fresh})
        answers: list[Accepted] = []
        for signal in new:
            one = _identity(signal)
            answers.append(Accepted(id=ids[one], fresh=fresh.pop(one, None) is not None))
        return answers

    def _ids(self, known: set[SignalIdentity]) -> dict[SignalIdentity, int]:
        if not known:
            return {}
        found = self._session.execute(
            select(*_IDENTITY, signals_table.c.id).where(
                signals_table.c.model.in_({one.model for one in known}),
                signals_table.c.key.in_({one.key for one in known}),
            )
        )
        return {_known(row): row.id for row in found}

    def pending(self, model: str, limit: int = 1000) -> tuple[Signal, ...]:
        statement = (
            select(*_COLUMNS)
            .where(signals_table.c.model == model, WAITS)
            .order_by(signals_table.c.id)
            .limit(limit + 1)
        )
        found = self._believed(statement)
        if len(found) <= limit:
            return tuple(found)
        causes = signals_table.c.kind.in_([kind.value for kind in CAUSES])
        found = self._believed(
            statement.order_by(None).order_by(causes, signals_table.c.id).limit(limit)
        )
        return tuple(sorted(found, key=lambda signal: signal.id))

    def _believed(self, statement: Select[Any]) -> list[Signal]:
        """As read, except that who is named without proof has said nothing."""
        found = []
        for row in self._session.execute(statement).all():
            signal, forged = _signal(row), mark_problem(self._session, row)
            found.append(replace(signal, payload={}, problem=forged) if forged else signal)
        return found

    def answer(self, answers: Sequence[SignalAnswer], decision: int) -> None:
        alike: dict[tuple[SignalStatus, str], list[int]] = {}
        for answer in answers:
            alike.setdefault((answer.status, answer.reason), []).append(answer.signal)
        for (status, reason), ids in alike.items():
            for start in range(0, len(ids), ROWS_A_STATEMENT):
                self._answer(ids[start : start + ROWS_A_STATEMENT], status, reason, decision)

    def _answer(self, ids: list[int], status: SignalStatus, reason: str, decision: int) -> None:
        result = self._session.execute(
            update(signals_table)
            .where(signals_table.c.id.in_(ids), WAITS)
            .values(status=status.value, reason=reason, decision=decision)
            .returning(signals_table.c.id)
        )
        missed = set(ids) - {row.id for row in result}
        if not missed:
            return
        signal = self.get(min(missed))
        if signal is None:
            raise Conflict(f"There is no signal {min(missed)} to answer.")
        raise Conflict(
            f"Signal {signal.id} has ended as {signal.status}; it is not answered again."
        )

    def get(self, signal: int) -> Signal | None:
        return next(iter(self._read(select(*_COLUMNS).where(signals_table.c.id == signal))), None)

    def with_key(self, model: str, key: str) -> tuple[Signal, ...]:
        alike = select(*_COLUMNS).where(
            signals_table.c.model == storable(model), signals_table.c.key == storable(key)
        )
        return tuple(self._read(alike.order_by(signals_table.c.id)))

    def find(self, query: Query) -> list[Signal]:
        newest: ColumnElement[int] = signals_table.c.id
        if query.model is None and {*query.states} & {SignalStatus.OPEN, SignalStatus.DEFERRED}:
            newest = newest + 0  # few wait: better sort those than walk through all that ended
        statement = select(*_COLUMNS).order_by(newest.desc()).limit(query.limit)
        if query.model is not None:
            statement = statement.where(signals_table.c.model == query.model)
        if query.kinds:
            observed = {*query.kinds} == {*_OBSERVED}
            statement = statement.where(
                _DRIFT if observed else signals_table.c.kind.in_(query.kinds)
            )
        if query.states:
            statement = statement.where(_in_states(query.states))
        if query.since is not None:
            statement = statement.where(signals_table.c.received_at >= query.since)
        if query.until is not None:
            statement = statement.where(signals_table.c.received_at < query.until)
        if query.before is not None:
            statement = statement.where(signals_table.c.id < query.before)
        return self._read(statement)

    def count_waiting(self, model: str | None = None) -> int:
        statement = select(func.count()).select_from(signals_table).where(WAITS)
        if model is not None:
            statement = statement.where(signals_table.c.model == model)
        return int(self._session.execute(statement).scalar_one())

    def proofs(self, numbers: Collection[int]) -> list[SignalProof]:
        rows = self._session.execute(
            select(*_COLUMNS).where(signals_table.c.id.in_(numbers)).order_by(signals_table.c.id)
        )
        return [proof_of(self._session, row) for row in rows]

    def _read(self, statement: Select[Any]) -> list[Signal]:
        return [_signal(row) for row in self._session.execute(statement)]


def _in_states(states: tuple[str, ...]) -> ColumnElement[bool]:
    if {*states} == {SignalStatus.OPEN}:
        return _OPEN
    if {*states} == {SignalStatus.OPEN, SignalStatus.DEFERRED}:
        return WAITS
    return signals_table.c.status.in_(states)


def _identity(signal: NewSignal) -> SignalIdentity:
    """As the database keeps it."""
    model, kind, actor, key = signal.identity
    return SignalIdentity(storable(model), kind, storable(actor), storable(key))


def _known(row: Row[Any]) -> SignalIdentity:
    return SignalIdentity(row.model, SignalKind(row.kind), row.actor, row.key)


def _row(signal: NewSignal, at: datetime) -> Mapping[str, Any]:
    return {
        "key": signal.key,
        "model": signal.model,
        "kind": signal.kind.value,
        "trigger_name": signal.trigger,
        "actor": signal.actor,
        "occurred_at": signal.occurred_at,
        "received_at": at,
        "payload": signal.payload,
    }


def _signal(row: Row[Any]) -> Signal:
    kind, payload, problem = SignalKind.WEBHOOK, dict[str, Any](), ""
    try:
        kind = SignalKind(row.kind)
        payload = json.loads(row.payload)
        if not isinstance(payload, dict):
            payload, problem = {}, "its payload is no object"
    except (ValueError, RecursionError):
        known = row.kind in SignalKind.__members__.values()
        problem = "its payload is no JSON" if known else "its kind is unknown to this version"
    return Signal(
        id=row.id,
        key=row.key,
        model=row.model,
        kind=kind,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        payload=payload,
        problem=problem,
        trigger=row.trigger_name,
        actor=row.actor,
        status=SignalStatus(row.status),
        reason=row.reason,
        decision=row.decision,
    )
