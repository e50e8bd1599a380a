"""Text of a rule test -> :class:`~controller.rulefmt.testcases.RuleTests`, or all of its problems at once.

What a test names must exist in the policy, and a test must expect something: one that cannot fail is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.rules import SERVABLE, Policy
from controller.policy.triggers import TRIGGERS, kind_of
from controller.rulefmt.parse import read_text
from controller.rulefmt.problems import Position, Problem, Problems, did_you_mean
from controller.rulefmt.schema.ruletest import EVENTS, RULE_TEST
from controller.rulefmt.testcases import RuleTestEvent, RuleTests


@dataclass(frozen=True, slots=True)
class ParsedTests:
    """The tests, or None and the problems; never both."""

    tests: RuleTests | None
    problems: tuple[Problem, ...]


def parse_tests(text: bytes | str, path: str) -> ParsedTests:
    """Read a rule test's own text; :func:`check_names` holds it against its policy."""
    problems = Problems(path)
    tests = read_text(text, problems, RULE_TEST, "the file is empty, it must hold rule tests")
    return ParsedTests(tests if isinstance(tests, RuleTests) else None, problems.sorted())


def check_names(tests: RuleTests, policy: Policy, path: str) -> tuple[Problem, ...]:
    """Names in the tests that the policy does not know: such a test could not fail for the right reason."""
    problems = Problems(path)
    triggers = [trigger.name for trigger in policy.triggers]
    gates = [gate.name for gate in policy.promote]
    metrics = {gate.metric for gate in policy.promote}
    for test in tests.tests:
        for expected in test.expectations:
            place = Position(expected.line)
            _known(expected.triggers, [*triggers, "manual"], "trigger", place, problems)
            _known(expected.gates, [*gates, SERVABLE], "gate", place, problems)
        for candidate in test.candidates:
            place = Position(candidate.line)
            _known(candidate.metrics, metrics, "metric of a gate", place, problems)
            for part in candidate.slices:
                _known(part.metrics, metrics, "metric of a gate", Position(part.line), problems)
        for event in test.events:
            _check_event(event, policy, problems)
    return problems.sorted()


def _known(
    names: Iterable[str], known: Iterable[str], noun: str, at: Position, problems: Problems
) -> None:
    listed = sorted(set(known))
    for name in names:
        if name not in listed:
            hint = did_you_mean(name, listed) or (f"it has {', '.join(listed)}" if listed else "")
            problems.add(at, "unknown-name", f"the policy has no {noun} `{name}`", hint)


def _check_event(event: RuleTestEvent, policy: Policy, problems: Problems) -> None:
    """A signal that no rule of the policy listens to shows nothing."""
    if event.kind not in EVENTS:
        return
    listening = [t for t in policy.triggers if kind_of(t).signal == event.kind]
    kinds = [TRIGGERS[key] for key in {trigger.kind: None for trigger in listening}]
    messages = [kind.unseen(event.payload, listening) for kind in kinds]
    if not listening:
        messages = [f"the policy has no {event.kind} trigger, so this signal shows nothing"]
    for message in messages[:1] if all(messages) else ():
        problems.add(Position(event.line or 1), "unknown-name", str(message))
