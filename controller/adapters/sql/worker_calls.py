"""What a worker writes on PostgreSQL: calls of functions, which are all that its login may write through.

The functions (``migrations/guards/postgresql.sql``) run with their owner's rights and check that the caller knows
the secret of the claim. The secret is the store's own, made when it opens, and never written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    Interval,
    Row,
    Text,
    column,
    func,
    literal,
    select,
)

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import runs_table
from controller.adapters.sql.types import storable
from controller.domain.canonical import canonical_json
from controller.domain.endings import end_kind, end_payload
from controller.domain.payloads import check_payload
from controller.domain.runs import Run
from controller.ports import JournalEntry, RunEnd


def claim(
    session: SqlSession, run: str, fence: int, worker: str, lease: timedelta
) -> Row[Any] | None:
    """The row of the run that is claimed now, None if it was not to be had."""
    call = func.worker_claim(
        literal(storable(run), Text),
        literal(fence, Integer),
        literal(storable(worker), Text),
        literal(lease, Interval),
        literal(session.secret, Text),
    )
    return session.execute(select(call.table_valued(*map(_alike, runs_table.c)))).first()


def heartbeat(
    session: SqlSession, run: str, fence: int, lease: timedelta, progress: float | None
) -> bool | None:
    """Whether somebody wants the run to stop; None if it is not held any more."""
    call = func.worker_heartbeat(
        literal(storable(run), Text),
        literal(fence, Integer),
        literal(lease, Interval),
        literal(progress, Float),
        literal(session.secret, Text),
    )
    row = session.execute(select(call.table_valued(column("cancel", Boolean)))).first()
    return None if row is None else bool(row.cancel)


def finish(session: SqlSession, run: Run, fence: int, end: RunEnd, at: datetime) -> bool:
    """End the run and append its signal; whether it was still held."""
    payload = check_payload(
        end_kind(end.state), end_payload(run, end.state, end.reason, end.result)
    )
    call = func.worker_finish(
        literal(run.id, Text),
        literal(fence, Integer),
        literal(end.state.value, Text),
        literal(storable(end.reason), Text),
        literal(storable(canonical_json(end.result)), Text),
        literal(storable(canonical_json(payload)), Text),
        literal(at, DateTime(timezone=True)),
        literal(session.secret, Text),
    )
    return bool(session.execute(select(call)).scalar_one())


def journal(session: SqlSession, run: str, fence: int, entries: Sequence[JournalEntry]) -> bool:
    """Add lines to what the run says; whether it was still held."""
    call = func.worker_journal(
        literal(storable(run), Text),
        literal(fence, Integer),
        literal([entry.at for entry in entries], ARRAY(DateTime(timezone=True))),
        literal([entry.kind for entry in entries], ARRAY(Text)),
        literal([storable(entry.name) for entry in entries], ARRAY(Text)),
        literal([entry.step for entry in entries], ARRAY(BigInteger)),
        literal([entry.value for entry in entries], ARRAY(Float)),
        literal([storable(entry.text) for entry in entries], ARRAY(Text)),
        literal(session.secret, Text),
    )
    return bool(session.execute(select(call)).scalar_one())


def count_up(session: SqlSession, name: str, by: int) -> None:
    """Add to a counter."""
    call = func.count_up(literal(storable(name), Text), literal(by, BigInteger))
    session.execute(select(call))


def _alike(known: Column[Any]) -> Any:
    return column(known.name, known.type)
