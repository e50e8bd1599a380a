"""Runs in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from controller.adapters.memory.models import MemoryModels
from controller.adapters.memory.outbox import finish_message
from controller.adapters.memory.signals import MemorySignals
from controller.adapters.memory.tables import Tables
from controller.domain.canonical import to_plain
from controller.domain.decisions import StartRun
from controller.domain.endings import ending_signal, lost_sentence
from controller.domain.errors import Conflict, IllegalTransition
from controller.domain.runs import RUN_MOVES, Run, RunState
from controller.ports import DOORBELL, FARTHEST, Pulse, Query, RunEnd, doorbell_key


class MemoryRuns:
    """Runs by id. ``now`` is the store's clock, by which leases are measured."""

    def __init__(
        self, tables: Tables, models: MemoryModels, signals: MemorySignals, now: datetime
    ) -> None:
        self._tables = tables
        self._models = models
        self._signals = signals
        self._now = now

    def order(self, model: str, action: StartRun, *, decision: int, at: datetime) -> Run:
        state = self._models.state(model)
        if action.number != state.next_run:
            raise Conflict(
                f"Run {action.run} cannot be ordered: the next run of {model} has number {state.next_run}."
            )
        if action.run in self._tables.runs:
            raise Conflict(f"Run {action.run} exists.")
        if decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")
        run = Run(
            id=action.run,
            model=model,
            number=action.number,
            spec=action.spec,
            state=RunState.QUEUED,
            fence=0,
            attempt=0,
            ordered_at=at,
            decision=decision,
        )
        self._models.replace(replace(state, next_run=state.next_run + 1))
        self._tables.runs[run.id] = run
        self._tables.unended[run.id] = None
        return run

    def get(self, run: str) -> Run | None:
        return self._tables.runs.get(run)

    def find(self, query: Query) -> list[Run]:
        found: list[Run] = []
        for run in self._tables.runs.newest():
            if len(found) >= query.limit:
                break
            if (
                (query.model is None or run.model == query.model)
                and (not query.kinds or run.spec.kind in query.kinds)
                and (not query.states or run.state in query.states)
                and (query.since is None or run.ordered_at >= query.since)
                and (query.until is None or run.ordered_at < query.until)
                and (query.before is None or run.number < query.before)
            ):
                found.append(run)
        return found

    def claim(self, run: str, fence: int, *, worker: str, lease: timedelta) -> Run | None:
        found = self._tables.runs.get(run)
        if found is None or found.state is not RunState.QUEUED or found.fence != fence:
            return None
        return self._put(
            replace(
                found,
                state=RunState.RUNNING,
                fence=fence + 1,
                attempt=found.attempt + 1,
                worker=worker,
                lease_until=self._now + lease,
                started_at=self._now,
                progress=None,
            )
        )

    def heartbeat(
        self, run: str, fence: int, *, lease: timedelta, progress: float | None = None
    ) -> Pulse:
        found = self._running(run, fence)
        if found is None:
            return Pulse(valid=False)
        held = found.lease_until is not None and found.lease_until > self._now
        self._put(
            replace(
                found,
                handed_back=found.handed_back + (held and not lease),
                lease_until=self._now + lease,
                progress=found.progress if progress is None else progress,
            )
        )
        return Pulse(valid=True, cancel=found.cancel_requested)

    def finish(self, run: str, fence: int, end: RunEnd, *, at: datetime) -> bool:
        if not end.state.ended:
            raise IllegalTransition(f"{end.state} is no end of a run.")
        found = self._running(run, fence)
        if found is None:
            return False
        self._end(
            replace(found, result=to_plain(end.result)), end.state, end.reason, at, actor="worker"
        )
        return True

    def request_cancel(self, run: str, reason: str, *, at: datetime) -> None:
        found = self._tables.runs.get(run)
        if found is None:
            raise Conflict(f"There is no run {run}.")
        if found.state is RunState.QUEUED:
            self._end(found, RunState.CANCELLED, reason, at, actor="system")
        if found.state is RunState.RUNNING and not found.cancel_requested:
            self._put(replace(found, cancel_requested=True, reason=reason))

    def reclaim(self, *, at: datetime) -> list[Run]:
        silent = [
            run
            for run in map(self._tables.runs.get, self._tables.unended)
            if run is not None
            and run.state is RunState.RUNNING
            and run.lease_until is not None
            and not self._now < run.lease_until <= self._now + FARTHEST
        ]
        return [self._reclaim(run, at) for run in silent]

    def _reclaim(self, run: Run, at: datetime) -> Run:
        if run.cancel_requested:
            return self._end(run, RunState.CANCELLED, run.reason, at, actor="system")
        if run.tries > run.spec.retries:
            return self._end(run, RunState.DEAD, lost_sentence(run), at, actor="system")
        return self._put(
            replace(run, state=RunState.QUEUED, fence=run.fence + 1, worker=None, lease_until=None)
        )

    def _running(self, run: str, fence: int) -> Run | None:
        found = self._tables.runs.get(run)
        if found is None or found.state is not RunState.RUNNING or found.fence != fence:
            return None
        return found

    def _end(self, run: Run, state: RunState, reason: str, at: datetime, *, actor: str) -> Run:
        # Whoever still holds the old token must not find it good.
        ended = replace(run, state=state, reason=reason, ended_at=at, lease_until=None)
        self._signals.append([ending_signal(ended, at, actor=actor)], at)
        return self._put(ended)

    def _put(self, run: Run) -> Run:
        found = self._tables.runs[run.id]
        before = found.state
        if run.state is not before and run.state not in RUN_MOVES[before]:
            raise IllegalTransition(f"A run cannot go from {before} to {run.state}.")
        if before is RunState.QUEUED:
            finish_message(self._tables, DOORBELL, doorbell_key(run.id, found.fence))
        self._tables.runs[run.id] = run
        if run.state.ended:
            self._tables.unended.pop(run.id)
        return run
