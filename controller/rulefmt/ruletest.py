"""Text of a rule test -> :class:`~controller.rulefmt.testcases.RuleTests`, or all of its problems at once.

What a test names must exist in the policy, and a test must expect something: one that cannot fail is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.domain.rules import SERVABLE, Policy
from controller.policy.triggers import TRIGGERS, kind_of
from controller.rulefmt.nodes import read_nodes
from controller.rulefmt.problems import Position, Problem, Problems, did_you_mean
from controller.rulefmt.schema.ruletest import EVENTS, RULE_TEST, SIGNALS
from controller.rulefmt.sections import Values
from controller.rulefmt.testcases import (
    Against,
    Given,
    RuleTest,
    RuleTestCandidate,
    RuleTestEvent,
    RuleTestExpectation,
    RuleTestMetric,
    RuleTests,
    SliceMeasured,
)
from controller.rulefmt.types import BAD

DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)
_REFERENCES = ("champion", "anchor", "previous", "baseline")
_SENDERS = {"foreign_move": "registry:elsewhere"}
_PEOPLE = frozenset({"approval", "promote", "reject", "rollback", "hold", "release", "manual"})


@dataclass(frozen=True, slots=True)
class ParsedTests:
    """The tests, or None and the problems; never both."""

    tests: RuleTests | None
    problems: tuple[Problem, ...]


def parse_tests(text: bytes | str, path: str) -> ParsedTests:
    """Read a rule test's own text; :func:`check_names` holds it against its policy."""
    problems = Problems(path)
    root, whole = read_nodes(text, problems)
    if root is None or root.empty:
        if not problems.found:
            problems.add(Position(), "empty", "the file is empty, it must hold rule tests")
        return ParsedTests(None, problems.sorted())
    values = RULE_TEST.read(root, "", problems)
    if values is not BAD:
        _check_tests(values, problems)
    if values is BAD or not whole or problems.found:
        return ParsedTests(None, problems.sorted())
    return ParsedTests(_build(values), ())


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


def _check_tests(values: Values, problems: Problems) -> None:
    seen: dict[str, int] = {}
    for test in values["tests"]:
        name = test["name"]
        if name in seen:
            message = f"two tests are called `{name}`, the first on line {seen[name]}"
            problems.add(test.at("name"), "same-name", message)
        seen.setdefault(name, test.line)
        _check_expectations(test, problems)


def _check_expectations(test: Values, problems: Problems) -> None:
    last = timedelta(-1)
    for expected in test["expect"]:
        said = [key for key in expected.nodes if key != "at"]
        empty = [key for key in ("triggers", "gates") if expected.has(key) and not expected[key]]
        if not said or empty:
            problems.add(expected.node, "expects-nothing", "this expectation expects nothing")
        verdicts = expected["decision"]
        if expected.has("decision") and (
            not verdicts or ("none" in verdicts and len(verdicts) > 1)
        ):
            message = "`decision` lists what was decided; `none` stands alone"
            problems.add(expected.at("decision"), "wrong-value", message)
        if expected["at"] <= last:
            message = "expectations stand in the order of their times, each time once"
            problems.add(expected.at("at"), "wrong-order", message)
        last = max(last, expected["at"])
    for signal in test["signals"] or ():
        if signal["at"] > last:
            message = "this signal comes after the last expectation, nothing looks at it"
            problems.add(signal.at("at"), "expects-nothing", message)


def _build(values: Values) -> RuleTests:
    return RuleTests(
        policy=values["policy"],
        start=(values["start"] or DEFAULT_START).astimezone(UTC),
        tests=tuple(_test(test) for test in values["tests"]),
    )


def _test(values: Values) -> RuleTest:
    given = values["given"]
    events = [*_series(values), *(_signal(s) for s in values["signals"] or ())]
    return RuleTest(
        name=values["name"],
        given=Given(champion=given["champion"], hold=given["hold"] or "", rows=given["rows"])
        if given
        else Given(),
        events=tuple(sorted(events, key=lambda e: e.at)),
        candidates=tuple(_candidate(c) for c in values["candidates"] or ()),
        expectations=tuple(_expectation(e) for e in values["expect"]),
        line=values.line,
    )


def _series(test: Values) -> list[RuleTestEvent]:
    """The signals of all series; those that are merged, and have a value at the same step, come in one."""
    events: list[RuleTestEvent] = []
    merged: dict[tuple[str, timedelta], RuleTestEvent] = {}
    last = test["expect"][-1]["at"]
    for series in test["series"] or ():
        kind, words = next((k, f.series) for k, f in TRIGGERS.items() if f.series and series.has(k))
        for step, value in enumerate(series["new_data"] or series["values"]):
            at = step * test["interval"]
            if value is None or at > last:
                continue
            event = RuleTestEvent(at=at, kind=kind, payload={}, line=series.line)
            if words.is_merged:
                event = merged.setdefault((kind, at), event)
            else:
                events.append(event)
            payload: Any = event.payload
            words.fill(payload, series.values, value)
    return [*events, *merged.values()]


def _signal(values: Values) -> RuleTestEvent:
    kind = next(name for name in SIGNALS if values.has(name))
    person = values["by"] or ("somebody" if kind in _PEOPLE else None)
    return RuleTestEvent(
        at=values["at"],
        kind=kind,
        payload=values[kind],
        actor=f"person:{person}" if person else _SENDERS.get(kind, "system"),
        line=values.line,
    )


def _candidate(values: Values) -> RuleTestCandidate:
    return RuleTestCandidate(
        takes=values["takes"],
        fails=values["fails"] or "",
        servable=values["servable"],
        metrics=_metrics(values["metrics"] or {}),
        slices=tuple(
            SliceMeasured(where=s["where"], metrics=_metrics(s["metrics"]), line=s.line)
            for s in values["slices"] or ()
        ),
        line=values.line,
    )


def _metrics(found: Mapping[str, Values]) -> dict[str, RuleTestMetric]:
    return {name: _measured(values) for name, values in found.items()}


def _measured(values: Values) -> RuleTestMetric:
    against = {}
    for name in _REFERENCES:
        reference = values[name]
        if reference is not None:
            interval = reference["interval"] or values["interval"]
            against[name] = Against(
                value=float(reference["value"]),
                interval=(float(interval[0]), float(interval[1])) if interval else None,
            )
    value = values["value"]
    return RuleTestMetric(
        value=None if value is None else float(value),
        rows=values["rows"],
        against=against,
        line=values.line,
    )


def _expectation(values: Values) -> RuleTestExpectation:
    decisions = values["decision"]
    champion = values["champion"]
    return RuleTestExpectation(
        at=values["at"],
        triggers=values["triggers"] or {},
        gates=values["gates"] or {},
        decisions=tuple(v for v in decisions if v != "none") if decisions is not None else None,
        actions=values["actions"],
        champion=(champion or 0) if values.has("champion") else None,
        reason=values["reason"] or "",
        line=values.line,
    )
