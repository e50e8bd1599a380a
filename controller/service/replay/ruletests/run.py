"""Runs one rule test: moves the clock from event to event, and looks where the test expects something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from controller.domain.decisions import Decision
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.rulefmt.testcases import RuleTest
from controller.service.replay.ruletests.judge import RuleTestDifference, compare_expectation
from controller.service.replay.simulate import (
    Event,
    OpenStore,
    SimulatedModel,
    in_order,
    play,
    schedule_fires,
)


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
    waiting = list(test.candidates)
    model = SimulatedModel(
        policy=policy,
        now=start,
        given=test.given,
        next_candidate=lambda: waiting.pop(0) if waiting else None,
        open_store=open_store,
    )
    differences: list[RuleTestDifference] = []
    error = ""
    try:
        for found in _differences(model, test, start):
            differences += found
    except IncumbentError as failure:
        differences, error = [], failure.sentence()
    if waiting and not differences and not error:
        used = len(test.candidates) - len(waiting)
        error = f"{len(test.candidates)} candidates are given and {used} were trained"
    decisions = tuple(decision for _, decision in model.seen)
    return RuleTestResult(test.name, test.line, tuple(differences), decisions, error)


def _differences(
    model: SimulatedModel, test: RuleTest, start: datetime
) -> Iterator[list[RuleTestDifference]]:
    """What is not as expected, for each expectation."""
    expected = {start + one.at: one for one in test.expectations}
    last = max(expected)
    looked_at = 0
    for now in play(model, _events(model, test, start, last), last):
        if now in expected:
            seen, looked_at = model.seen[looked_at:], len(model.seen)
            yield list(compare_expectation(expected[now], now, seen, model.champion))


def _events(
    model: SimulatedModel, test: RuleTest, start: datetime, last: datetime
) -> Iterator[Event]:
    """Schedules from the start (exclusive) to the last expectation, the test's signals, and the times it looks at."""
    fires = (
        (at, partial(model.fire, due)) for at, due in schedule_fires(model.policy, start, last)
    )
    signals = [(start + event.at, partial(model.send, event)) for event in test.events]
    looks = [(start + one.at, _nothing) for one in test.expectations]
    return in_order(fires, signals, looks)


def _nothing() -> None:
    """The test only looks."""
