"""Asks Prometheus for the figures that ``rollback.when`` names, and puts each into the inbox once.

A query looks back over ``every``, and is asked for the moments at which that span ends (whole multiples of it since
1970), so that no request counts in two figures and a restart asks for no figure twice: its key names the moment.
What cannot be had is a gap, and a gap never rolls anybody back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from controller.domain.errors import IncumbentError
from controller.domain.payloads import EXACT, is_measured
from controller.domain.rules import Policy, RollbackCondition
from controller.domain.signals import NewSignal, SignalKind
from controller.ports import Clock, Store

log = logging.getLogger(__name__)

Parse = Callable[[str, str], Policy]


class FigureSource(Protocol):
    """Where figures come from."""

    def ask(self, query: str, at: datetime) -> float | None:
        """The one number that the query gives at that moment; None if there is none. Unavailable, UserError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureReport:
    """What one round brought."""

    asked: int = 0
    signals: int = 0
    failed: int = 0


class PollFigures:
    """One round asks for every figure whose span has ended since the round before."""

    def __init__(self, store: Store, clock: Clock, parse: Parse, figures: FigureSource) -> None:
        self._store = store
        self._clock = clock
        self._parse = parse
        self._figures = figures
        self._asked: dict[tuple[str, str], datetime] = {}

    def run_once(self) -> FigureReport:
        """Ask once for each condition that is due."""
        now = self._clock.now()
        asked = signals = failed = 0
        for model, champion, condition in self._watched():
            ended = _end_of_span(condition, now)
            if self._asked.get((model, condition.name)) == ended:
                continue
            asked += 1
            try:
                signal = self._signal(model, champion, condition, ended)
            except IncumbentError as error:
                failed += 1
                said = {"action": "no_figure", "model": model, "why": error.sentence()}
                log.warning("%s: no figure for %s", model, condition.name, extra=said)
                continue
            self._asked[model, condition.name] = ended
            if signal is not None:
                with self._store.begin() as tx:
                    signals += tx.signals.append([signal], now)[0].fresh
        return FigureReport(asked=asked, signals=signals, failed=failed)

    def _watched(self) -> Iterator[tuple[str, int, RollbackCondition]]:
        with self._store.read() as tx:
            active = tx.rules.all_active()
            champions = {state.model: state.champion for state in tx.models.all()}
        for rules in active:
            champion = champions.get(rules.model)
            if champion is None:
                continue
            for condition in self._parse(rules.text, rules.ref.path).rollback.when:
                if condition.query is not None:
                    yield rules.model, champion, condition

    def _signal(
        self, model: str, champion: int, condition: RollbackCondition, ended: datetime
    ) -> NewSignal | None:
        value = self._figures.ask(condition.query or "", ended)
        rows = 1.0
        if condition.samples is not None:
            rows = self._figures.ask(condition.samples, ended) or 0.0
        if value is None or not is_measured(value) or not 1 <= rows <= EXACT:
            return None
        return NewSignal(
            key=f"figure:{model}:{condition.name}:{ended:%Y-%m-%dT%H:%M:%SZ}",
            model=model,
            kind=SignalKind.METRIC,
            occurred_at=ended,
            payload={
                "metric": condition.metric,
                "condition": condition.name,
                "value": value,
                "n": int(rows),
                "version": champion,
            },
            actor="prometheus",
        )


def _end_of_span(condition: RollbackCondition, now: datetime) -> datetime:
    every = condition.every.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // every * every, UTC)
