"""Runs in SQL: each write of a worker is one UPDATE that names its fence, and counts if it hit a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, case, insert, or_, select, update

from controller.adapters.sql import worker_calls
from controller.adapters.sql.models import SqlModels
from controller.adapters.sql.outbox import finish_message
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.signals import SqlSignals
from controller.adapters.sql.tables import runs_table
from controller.adapters.sql.types import is_one_of
from controller.domain.canonical import to_plain
from controller.domain.codec import load_plain
from controller.domain.decisions import StartRun
from controller.domain.endings import ending_signal, lost_sentence
from controller.domain.errors import Conflict, IllegalTransition
from controller.domain.runs import RUN_FORMAT, Run, RunSpec, RunState
from controller.ports import DOORBELL, FARTHEST, Pulse, Query, RunEnd, doorbell_key

_UNENDED = is_one_of(runs_table.c.state, RunState.QUEUED, RunState.RUNNING)


class SqlRuns:
    """Leases are measured by the store's clock."""

    def __init__(self, session: SqlSession, books: SqlModels, inbox: SqlSignals) -> None:
        self._session = session
        self._models = books
        self._signals = inbox

    def order(self, model: str, action: StartRun, *, decision: int, at: datetime) -> Run:
        state = self._models.state(model)
        if action.number != state.next_run:
            raise Conflict(
                f"Run {action.run} cannot be ordered: the next run of {model} has number {state.next_run}."
            )
        row = self._session.execute(
            insert(runs_table)
            .values(
                id=action.run,
                model=model,
                number=action.number,
                kind=action.spec.kind.value,
                spec={"format": RUN_FORMAT, **to_plain(action.spec)},
                retries=action.spec.retries,
                state=RunState.QUEUED.value,
                fence=0,
                attempt=0,
                ordered_at=at,
                decision=decision,
            )
            .returning(runs_table)
        ).one()
        return _run(row)

    def get(self, run: str) -> Run | None:
        row = self._session.execute(select(runs_table).where(runs_table.c.id == run)).first()
        return None if row is None else _run(row)

    def find(self, query: Query) -> list[Run]:
        statement = select(runs_table).limit(query.limit)
        if query.model is None:
            statement = statement.order_by(runs_table.c.entry.desc())
        else:
            statement = statement.where(runs_table.c.model == query.model).order_by(
                runs_table.c.number.desc()
            )
        if query.kinds:
            statement = statement.where(runs_table.c.kind.in_(query.kinds))
        if query.states:
            unended = {*query.states} == {RunState.QUEUED, RunState.RUNNING}
            asked: ColumnElement[bool] = runs_table.c.state.in_(query.states)
            if unended:  # the same, in the words of the index
                asked = _UNENDED
            statement = statement.where(asked)
        if query.since is not None:
            statement = statement.where(runs_table.c.ordered_at >= query.since)
        if query.until is not None:
            statement = statement.where(runs_table.c.ordered_at < query.until)
        if query.before is not None:
            statement = statement.where(runs_table.c.number < query.before)
        return [_run(row) for row in self._session.execute(statement)]

    def claim(self, run: str, fence: int, *, worker: str, lease: timedelta) -> Run | None:
        if self._session.postgres:
            row = worker_calls.claim(self._session, run, fence, worker, lease)
            return None if row is None else _run(row)
        return self._change(
            run,
            fence,
            RunState.QUEUED,
            {
                "state": RunState.RUNNING.value,
                "fence": runs_table.c.fence + 1,
                "attempt": runs_table.c.attempt + 1,
                "worker": worker,
                "lease_until": self._session.later(lease),
                "started_at": self._session.now(),
                "progress": None,
            },
        )

    def heartbeat(
        self, run: str, fence: int, *, lease: timedelta, progress: float | None = None
    ) -> Pulse:
        if self._session.postgres:
            cancel = worker_calls.heartbeat(self._session, run, fence, lease, progress)
            return Pulse(valid=cancel is not None, cancel=bool(cancel))
        values: dict[str, Any] = {"lease_until": self._session.later(lease)}
        if not lease:
            held = case((runs_table.c.lease_until > self._session.now(), 1), else_=0)
            values["handed_back"] = runs_table.c.handed_back + held
        if progress is not None:
            values["progress"] = progress
        row = self._session.execute(
            update(runs_table)
            .where(
                runs_table.c.id == run,
                runs_table.c.fence == fence,
                runs_table.c.state == RunState.RUNNING.value,
            )
            .values(values)
            .returning(runs_table.c.cancel_requested)
        ).first()
        return Pulse(valid=False) if row is None else Pulse(valid=True, cancel=row.cancel_requested)

    def finish(self, run: str, fence: int, end: RunEnd, *, at: datetime) -> bool:
        if not end.state.ended:
            raise IllegalTransition(f"{end.state} is no end of a run.")
        if self._session.postgres:
            held = self.get(run)
            return held is not None and worker_calls.finish(self._session, held, fence, end, at)
        values = {**_ending(end.state, end.reason, at), "result": end.result}
        ended = self._change(run, fence, RunState.RUNNING, values)
        if ended is not None:
            self._signals.append([ending_signal(ended, at, actor="worker")], at)
        return ended is not None

    def request_cancel(self, run: str, reason: str, *, at: datetime) -> None:
        row = self._session.execute(
            select(runs_table.c.state, runs_table.c.fence)
            .where(runs_table.c.id == run)
            .with_for_update()
        ).first()
        if row is None:
            raise Conflict(f"There is no run {run}.")
        if row.state == RunState.QUEUED:
            self._end(run, row.fence, RunState.QUEUED, _ending(RunState.CANCELLED, reason, at), at)
        if row.state == RunState.RUNNING:
            self._session.execute(
                update(runs_table)
                .where(runs_table.c.id == run, runs_table.c.cancel_requested.is_(False))
                .values(cancel_requested=True, reason=reason)
            )

    def reclaim(self, *, at: datetime) -> list[Run]:
        silent = self._session.execute(
            select(runs_table)
            .where(
                _UNENDED,
                runs_table.c.state == RunState.RUNNING.value,
                or_(
                    runs_table.c.lease_until <= self._session.now(),
                    runs_table.c.lease_until > self._session.later(FARTHEST),
                ),
            )
            .order_by(runs_table.c.entry)
            .with_for_update(skip_locked=True)
        ).all()
        taken = [self._reclaim(_run(row), at) for row in silent]
        return [run for run in taken if run is not None]

    def _reclaim(self, run: Run, at: datetime) -> Run | None:
        if run.cancel_requested:
            values = _ending(RunState.CANCELLED, run.reason, at)
            return self._end(run.id, run.fence, RunState.RUNNING, values, at)
        if run.tries > run.spec.retries:
            values = _ending(RunState.DEAD, lost_sentence(run), at)
            return self._end(run.id, run.fence, RunState.RUNNING, values, at)
        return self._change(
            run.id,
            run.fence,
            RunState.RUNNING,
            {
                "state": RunState.QUEUED.value,
                "fence": runs_table.c.fence + 1,
                "worker": None,
                "lease_until": None,
            },
        )

    def _end(
        self, run: str, fence: int, before: RunState, values: Mapping[str, Any], at: datetime
    ) -> Run | None:
        ended = self._change(run, fence, before, values)
        if ended is not None:
            self._signals.append([ending_signal(ended, at, actor="system")], at)
        return ended

    def _change(
        self, run: str, fence: int, before: RunState, values: Mapping[str, Any]
    ) -> Run | None:
        """The fenced write that every other is made of; None if the run is not in that state with that fence."""
        row = self._session.execute(
            update(runs_table)
            .where(
                runs_table.c.id == run,
                runs_table.c.fence == fence,
                runs_table.c.state == before.value,
            )
            .values(dict(values))
            .returning(runs_table)
        ).first()
        if row is not None and before is RunState.QUEUED:
            finish_message(self._session, DOORBELL, doorbell_key(run, fence))
        return None if row is None else _run(row)


def _ending(state: RunState, reason: str, at: datetime) -> dict[str, Any]:
    return {"state": state.value, "reason": reason, "ended_at": at, "lease_until": None}


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        model=row.model,
        number=row.number,
        spec=load_plain(RunSpec, row.spec),
        state=RunState(row.state),
        fence=row.fence,
        attempt=row.attempt,
        ordered_at=row.ordered_at,
        decision=row.decision,
        worker=row.worker,
        lease_until=row.lease_until,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancel_requested=row.cancel_requested,
        progress=row.progress,
        reason=row.reason,
        result=row.result,
        handed_back=row.handed_back,
        format=row.spec.get("format", 1),
    )
