"""Plays a series in simulated time: the engine's own snapshot, decision and application, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from controller.domain.decisions import Verdict
from controller.domain.rules import Policy
from controller.rulefmt.series import SeriesRow
from controller.rulefmt.testcandidates import RuleTestCandidate
from controller.rulefmt.testcases import Given
from controller.service.replay.simulate import (
    OpenStore,
    SimulatedModel,
    in_order,
    play,
    schedule_fires,
)
from controller.service.replay.simulate.clock import INSTANT


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestMoment:
    """One decision that did something."""

    at: datetime
    verdict: str
    reason: str
    champion: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """What a policy did. ``unknown`` trainings started when the series held no candidate: they bring nothing."""

    policy: str
    start: datetime
    end: datetime
    moments: tuple[BacktestMoment, ...]
    champion: int | None
    unknown: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each verdict was reached."""
        return Counter(moment.verdict for moment in self.moments)


def run_backtest(
    name: str, policy: Policy, rows: Sequence[SeriesRow], open_store: OpenStore
) -> Backtest:
    """Run ``policy`` over ``rows`` (in order, at least one); version 1 sits in the seat at the start."""
    start, end = rows[0].at - INSTANT, rows[-1].at
    series = _Series()
    model = SimulatedModel(
        policy=policy,
        now=start,
        given=Given(),
        next_candidate=lambda: series.candidate,
        open_store=open_store,
    )
    fires = ((at, partial(model.fire, due)) for at, due in schedule_fires(policy, start, end))
    events = [(row.at, partial(series.happen, row, model)) for row in rows]
    for _ in play(model, in_order(fires, events), end):
        pass
    return Backtest(
        policy=name,
        start=rows[0].at,
        end=end,
        moments=tuple(
            BacktestMoment(
                at=at,
                verdict=decision.verdict.value,
                reason=decision.reason,
                champion=decision.champion_after,
            )
            for at, decision in model.seen
            if decision.changes and decision.verdict is not Verdict.NONE
        ),
        champion=model.champion,
        unknown=sum(d.verdict is Verdict.TRAIN for _, d in model.seen) - model.served,
    )


@dataclass(slots=True)
class _Series:
    """What trainings bring from now on, as the series says."""

    candidate: RuleTestCandidate | None = None

    def happen(self, row: SeriesRow, model: SimulatedModel) -> None:
        """A row is due."""
        for event in row.events:
            model.send(event)
        self.candidate = row.candidate or self.candidate
