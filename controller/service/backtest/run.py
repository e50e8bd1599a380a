"""Plays a series on the stage of the rule tests: the engine's own snapshot, decision and application, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.decisions import Verdict
from controller.domain.rules import Policy
from controller.policy.triggers import ScheduleTrigger, schedules
from controller.rulefmt.series import SeriesRow
from controller.rulefmt.testcases import Given, RuleTest
from controller.service.next_due import next_due
from controller.service.ruletests.stage import OpenStore, RuleTestStage

_SPARE = 20
"""Trainings that may start at one time with the same candidate."""
_MOST_FIRES = 100_000
_INSTANT = timedelta(microseconds=1)


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
    start, end = rows[0].at - _INSTANT, rows[-1].at
    test = RuleTest(name=name, given=Given(), events=(), candidates=(), expectations=())
    stage = RuleTestStage(policy=policy, test=test, start=start, open_store=open_store)
    _play(stage, list(rows), _fires(policy, start, end), end)
    unknown = sum(d.verdict is Verdict.TRAIN for _, d in stage.seen) - _served(stage)
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
            for at, decision in stage.seen
            if decision.changes and decision.verdict is not Verdict.NONE
        ),
        champion=stage.champion(),
        unknown=unknown,
    )


def _served(stage: RuleTestStage) -> int:
    return len(stage.brought) + len(stage.work)


def _play(
    stage: RuleTestStage,
    rows: list[SeriesRow],
    fires: list[tuple[datetime, ScheduleTrigger]],
    end: datetime,
) -> None:
    while True:
        times = [work.due for work in stage.work]
        times += [rows[0].at] if rows else []
        times += [fires[0][0]] if fires else []
        if stage.wake_at is not None and stage.wake_at > stage.clock.moment:
            times.append(stage.wake_at)
        if not times or min(times) > end:
            return
        now = stage.clock.moment = max(min(times), stage.clock.moment)
        while fires and fires[0][0] <= now:
            stage.fire(fires.pop(0)[1])
        while rows and rows[0].at <= now:
            row = rows.pop(0)
            for event in row.events:
                stage.send(event)
            if row.candidate is not None:
                stage.waiting = [row.candidate] * _SPARE
        if stage.waiting:
            stage.waiting = [stage.waiting[0]] * _SPARE
        stage.decide_until_idle()


def _fires(
    policy: Policy, start: datetime, end: datetime
) -> list[tuple[datetime, ScheduleTrigger]]:
    found: list[tuple[datetime, ScheduleTrigger]] = []
    for trigger in schedules(policy):
        due = next_due(trigger, start)
        while due <= end and len(found) < _MOST_FIRES:
            found.append((due, trigger))
            due = next_due(trigger, due)
    return sorted(found, key=lambda fire: fire[0])
