"""Reads the figures of a system out of its books, and adds up what only rises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.domain.runs import RunKind, RunState
from controller.ports import (
    DeliveryQuery,
    DeliveryState,
    ModelState,
    Query,
    RunFigure,
    SourceState,
    Transaction,
)
from controller.service.observe.catalogue import MOST_COLUMNS, MOST_LABELS

_ALIVE = timedelta(seconds=30)
_UNENDED = frozenset({RunState.QUEUED.value, RunState.RUNNING.value})


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessFigures:
    """One reading. Times are seconds before the reading."""

    verdicts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ended: tuple[RunFigure, ...] = ()
    """Runs that ended since the reading before."""
    unended: tuple[RunFigure, ...] = ()
    signals: int = 0
    outbox: Mapping[str, int] = field(default_factory=dict)
    models: tuple[ModelState, ...] = ()
    seated: Mapping[str, datetime] = field(default_factory=dict)
    waiting: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)
    drift: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    sources: tuple[SourceState, ...] = ()
    workers: int = 0
    failing: Mapping[str, int] = field(default_factory=dict)
    now: datetime | None = None


class FigureReader:
    """Remembers what was counted before, so that a reading costs what is new."""

    def __init__(self) -> None:
        self._last_decision = 0
        self._last_run = 0
        self._unended: frozenset[int] = frozenset()
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._drift_seen: dict[str, tuple[int, Mapping[tuple[str, str, str], float]]] = {}

    def read(self, tx: Transaction, now: datetime) -> ProcessFigures:
        """The figures as they are; what is remembered moves only if all of it could be read."""
        last, fresh = tx.figures.verdicts(self._last_decision)
        runs = tx.figures.runs(self._last_run, self._unended)
        models = tuple(tx.models.all())
        found = ProcessFigures(
            verdicts=self._verdicts + Counter(fresh),
            ended=tuple(run for run in runs if run.state not in _UNENDED),
            unended=tuple(run for run in runs if run.state in _UNENDED),
            signals=tx.signals.count_waiting(),
            outbox=tx.outbox.depth(),
            models=models,
            seated=_seated(tx, models),
            waiting=_waiting(tx),
            drift=self._drift(tx, models, {run.model for run in runs if run.state in _UNENDED}),
            sources=tuple(tx.sources.all()),
            workers=sum(
                1 for row in tx.workers.all() if row.seen_at and now - row.seen_at < _ALIVE
            ),
            failing=_failing(tx),
            now=now,
        )
        self._last_decision = last
        self._verdicts.update(fresh)
        self._last_run = max((run.entry for run in runs), default=self._last_run)
        self._unended = frozenset(run.entry for run in found.unended)
        return found

    def _drift(
        self, tx: Transaction, models: tuple[ModelState, ...], busy: set[str]
    ) -> Mapping[tuple[str, str, str], float]:
        """Asked again only where a run was ordered since, or one is still under way (``busy``)."""
        found: dict[tuple[str, str, str], float] = {}
        for state in models[:MOST_LABELS]:
            seen = self._drift_seen.get(state.model)
            if seen is None or seen[0] != state.next_run:
                seen = (state.next_run, _distances(tx, state.model))
                if state.model not in busy:
                    self._drift_seen[state.model] = seen
            found.update(seen[1])
        return found


def _seated(tx: Transaction, models: tuple[ModelState, ...]) -> Mapping[str, datetime]:
    found = {}
    for state in models[:MOST_LABELS]:
        if state.champion is not None:
            reigns = tx.registry.history(state.model, 1)
            if reigns:
                found[state.model] = reigns[0].since
    return found


def _waiting(tx: Transaction) -> Mapping[str, tuple[int, datetime]]:
    found: dict[str, tuple[int, datetime]] = {}
    for one in tx.models.waiting(limit=1000):
        number, since = found.get(one.model, (0, one.since))
        found[one.model] = (number + 1, min(since, one.since))
    return found


def _failing(tx: Transaction) -> Mapping[str, int]:
    query = DeliveryQuery(states=(DeliveryState.SENDING.value,), limit=1000)
    return Counter(row.channel for row in tx.deliveries.find(query) if row.last_error)


def _distances(tx: Transaction, model: str) -> Mapping[tuple[str, str, str], float]:
    """Of the model's newest profile, the columns that are farthest from the reference."""
    query = Query(
        model=model, kinds=(RunKind.PROFILE.value,), states=(RunState.DONE.value,), limit=1
    )
    newest = next(iter(tx.runs.find(query)), None)
    columns = newest.result.get("columns") if newest is not None else None
    if not isinstance(columns, Mapping):
        return {}
    numbers = {
        (str(column), str(name)): float(value)
        for column, distances in columns.items()
        if isinstance(distances, Mapping)
        for name, value in distances.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    farthest: dict[str, float] = {}
    for (column, _), value in numbers.items():
        farthest[column] = max(farthest.get(column, 0.0), value)
    kept = set(sorted(farthest, key=lambda name: (-farthest[name], name))[:MOST_COLUMNS])
    return {
        (model, column, name): value for (column, name), value in numbers.items() if column in kept
    }
