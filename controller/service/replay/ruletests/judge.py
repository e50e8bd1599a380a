"""Holds what was decided against what a test expects; a difference says what was wanted, what was, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.domain.decisions import Decision, Outcome, Result, Verdict
from controller.rulefmt.testcases import RuleTestExpectation

DatedDecisions = Sequence[tuple[datetime, Decision]]
"""Decisions with their times, oldest first, no-ops among them."""


@dataclass(frozen=True, slots=True)
class RuleTestDifference:
    """One thing that is not as expected, at a line of the test."""

    line: int
    at: datetime
    what: str
    expected: str
    was: str
    because: str = ""


def compare_expectation(
    expected: RuleTestExpectation, at: datetime, seen: DatedDecisions, champion: int | None
) -> Iterator[RuleTestDifference]:
    """Every difference of one expectation. ``seen`` are the decisions since the expectation before."""
    yield from _compare_triggers(expected, at, seen)
    yield from _compare_gates(expected, at, seen)
    yield from _compare_decisions(expected, at, seen)
    if expected.champion is not None and (champion or 0) != expected.champion:
        wanted, why = _seat(expected.champion), _last_reason(seen)
        yield RuleTestDifference(expected.line, at, "champion", wanted, _seat(champion), why)
    yield from _compare_actions(expected, at, seen)
    if expected.reason and not any(expected.reason in text for text in _sentences(seen)):
        wanted = f"… {expected.reason} …"
        yield RuleTestDifference(expected.line, at, "reason", wanted, _last_reason(seen))


def _compare_triggers(
    expected: RuleTestExpectation, at: datetime, seen: DatedDecisions
) -> Iterator[RuleTestDifference]:
    for name, state in expected.triggers.items():
        node = trigger_node(seen, at, name)
        was = node.result.value if node else Result.INACTIVE.value
        if was != state:
            why = node.sentence if node else "no signal waits for a trigger"
            yield RuleTestDifference(expected.line, at, f"trigger {name}", state, was, why)


def _compare_gates(
    expected: RuleTestExpectation, at: datetime, seen: DatedDecisions
) -> Iterator[RuleTestDifference]:
    for name, verdict in expected.gates.items():
        node = gate_node(seen, name)
        was = node.result.value if node else "not judged"
        if was != verdict:
            why = node.sentence if node else _last_reason(seen)
            yield RuleTestDifference(expected.line, at, f"gate {name}", verdict, was, why)


def _compare_decisions(
    expected: RuleTestExpectation, at: datetime, seen: DatedDecisions
) -> Iterator[RuleTestDifference]:
    if expected.decisions is None:
        return
    changed = [d for _, d in seen if d.changes and d.verdict is not Verdict.NONE]
    verdicts = tuple(d.verdict.value for d in changed)
    if verdicts != expected.decisions:
        why = changed[-1].reason if changed else _last_reason(seen)
        wanted, was = _words(expected.decisions), _words(verdicts)
        yield RuleTestDifference(expected.line, at, "decision", wanted, was, why)


def _compare_actions(
    expected: RuleTestExpectation, at: datetime, seen: DatedDecisions
) -> Iterator[RuleTestDifference]:
    if expected.actions is None:
        return
    done = [action.kind for _, d in seen for action in d.actions]
    missing = [kind for kind in expected.actions if kind not in done]
    if missing or (not expected.actions and done):
        wanted = _words(expected.actions)
        yield RuleTestDifference(
            expected.line, at, "actions", wanted, _words(tuple(done)), _last_reason(seen)
        )


def trigger_node(seen: DatedDecisions, at: datetime, name: str) -> Outcome | None:
    """The trigger's node in the first decision at this time that judged it: before it acted."""
    for moment, decision in seen:
        if moment != at:
            continue
        node = next((n for n in _children(decision, "train") if n.name == name), None)
        if node is not None:
            return node
    return None


def gate_node(seen: DatedDecisions, name: str) -> Outcome | None:
    """The gate's node in the last decision that judged gates."""
    for _, decision in reversed(seen):
        node = next((n for n in _children(decision, "promote") if n.name == name), None)
        if node is not None:
            return node
    return None


def _children(decision: Decision, reason: str) -> tuple[Outcome, ...]:
    return next((n.children for n in decision.tree.children if n.name == reason), ())


def _sentences(seen: DatedDecisions) -> Iterator[str]:
    for _, decision in seen:
        yield decision.reason
        yield from (answer.reason for answer in decision.answers)


def _last_reason(seen: DatedDecisions) -> str:
    return seen[-1][1].reason if seen else "nothing was decided"


def _words(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


def _seat(number: int | None) -> str:
    return f"v{number}" if number else "no champion"
