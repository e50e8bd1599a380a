"""What can be watched of runs, and which workers live, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from controller.adapters.sql import worker_calls
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import run_journal_table, runs_table, workers_table
from controller.domain.runs import RunState
from controller.ports import JournalEntry, JournalLine, WorkerRow


class SqlJournal:
    """One row a line. Only the holder of the run's token adds any."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def append(self, run: str, fence: int, entries: Sequence[JournalEntry]) -> bool:
        if self._session.postgres:
            return worker_calls.journal(self._session, run, fence, entries)
        held = self._session.execute(
            select(runs_table.c.id).where(
                runs_table.c.id == run,
                runs_table.c.fence == fence,
                runs_table.c.state == RunState.RUNNING.value,
            )
        ).first()
        if held is None:
            return False
        rows = [
            {
                "run": run,
                "fence": fence,
                "at": entry.at,
                "kind": entry.kind,
                "name": entry.name,
                "step": entry.step,
                "value": entry.value,
                "text": entry.text,
            }
            for entry in entries
        ]
        if rows:
            self._session.execute(run_journal_table.insert(), rows)
        return True

    def read(
        self, run: str, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 1000
    ) -> list[JournalLine]:
        query = select(run_journal_table).where(
            run_journal_table.c.run == run, run_journal_table.c.id > after
        )
        if kinds:
            query = query.where(run_journal_table.c.kind.in_(list(kinds)))
        rows = self._session.execute(query.order_by(run_journal_table.c.id).limit(limit))
        return [
            JournalLine(
                id=row.id,
                fence=row.fence,
                entry=JournalEntry(
                    at=row.at,
                    kind=row.kind,
                    text=row.text,
                    name=row.name,
                    step=row.step,
                    value=row.value,
                ),
            )
            for row in rows
        ]


class SqlWorkers:
    """One row a worker."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def beat(self, worker: WorkerRow) -> None:
        values = {
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "queues": list(worker.queues),
            "concurrency": worker.concurrency,
            "started_at": worker.started_at,
            "seen_at": self._session.now(),
        }
        self._session.execute(
            self._session.insert(workers_table)
            .values(name=worker.name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )

    def leave(self, name: str) -> None:
        self._session.execute(delete(workers_table).where(workers_table.c.name == name))

    def all(self) -> list[WorkerRow]:
        rows = self._session.execute(select(workers_table).order_by(workers_table.c.name))
        return [
            WorkerRow(
                name=row.name,
                host=row.host,
                pid=row.pid,
                version=row.version,
                queues=tuple(row.queues),
                concurrency=row.concurrency,
                started_at=row.started_at,
                seen_at=row.seen_at,
            )
            for row in rows
        ]
