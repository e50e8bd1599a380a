"""Runs one rule test: moves the clock from event to event, and looks where the test expects something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.domain.decisions import Decision
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.policy.triggers import ScheduleTrigger, schedules
from controller.rulefmt.testcases import RuleTest
from controller.service.next_due import next_due
from controller.service.ruletests.judge import RuleTestDifference, compare_expectation
from controller.service.ruletests.stage import OpenStore, RuleTestStage

_MOST_FIRES = 10_000


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What came out of one test. ``error`` is a sentence where it could not run to its end."""

    name: str
    line: int
    differences: tuple[RuleTestDifference, ...]
    decisions: tuple[Decision, ...]
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.differences and not self.error


def run_rule_test(
    test: RuleTest, policy: Policy, start: datetime, open_store: OpenStore
) -> RuleTestResult:
    """Run one test from ``start`` on, in a store of its own."""
    stage = RuleTestStage(policy=policy, test=test, start=start, open_store=open_store)
    try:
        differences = _play(stage)
    except IncumbentError as error:
        return RuleTestResult(test.name, test.line, (), _decisions(stage), error.sentence())
    unused = ""
    if stage.waiting and not differences:
        used = len(test.candidates) - len(stage.waiting)
        unused = f"{len(test.candidates)} candidates are given and {used} were trained"
    return RuleTestResult(test.name, test.line, tuple(differences), _decisions(stage), unused)


def _play(stage: RuleTestStage) -> list[RuleTestDifference]:
    fires = _fires(stage)
    events = [(stage.start + event.at, event) for event in stage.test.events]
    looks = [(stage.start + expected.at, expected) for expected in stage.test.expectations]
    differences: list[RuleTestDifference] = []
    looked_at = 0
    while looks:
        now = _next_time(stage, events, fires, looks[0][0])
        stage.clock.moment = now
        while fires and fires[0][0] <= now:
            stage.fire(fires.pop(0)[1])
        while events and events[0][0] <= now:
            stage.send(events.pop(0)[1])
        stage.decide_until_idle()
        if looks[0][0] <= now:
            at, expected = looks.pop(0)
            seen = stage.seen[looked_at:]
            looked_at = len(stage.seen)
            differences += compare_expectation(expected, at, seen, stage.champion())
    return differences


def _next_time(stage: RuleTestStage, events: list, fires: list, look: datetime) -> datetime:  # type: ignore[type-arg]
    times = [look, *(work.due for work in stage.work)]
    times += [queue[0][0] for queue in (events, fires) if queue]
    if stage.wake_at is not None and stage.wake_at > stage.clock.moment:
        times.append(stage.wake_at)
    return min(times)


def _fires(stage: RuleTestStage) -> list[tuple[datetime, ScheduleTrigger]]:
    """When each schedule of the policy is due, from the start (exclusive) to the last expectation."""
    last = stage.start + stage.test.expectations[-1].at
    found: list[tuple[datetime, ScheduleTrigger]] = []
    for trigger in schedules(stage.policy):
        due = next_due(trigger, stage.start)
        while due <= last and len(found) < _MOST_FIRES:
            found.append((due, trigger))
            due = next_due(trigger, due)
    return sorted(found, key=lambda fire: fire[0])


def _decisions(stage: RuleTestStage) -> tuple[Decision, ...]:
    return tuple(decision for _, decision in stage.seen)
