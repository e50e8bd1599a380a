"""Rule tests beside this file: the good one parses, the bad ones are refused with exactly these problems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.rulefmt import load_policy
from controller.rulefmt.ruletest import check_names, parse_tests
from controller.rulefmt.testcandidates import Against, RuleTestMetric
from controller.rulefmt.testcases import RuleTestEvent

FOLDER = Path(__file__).parent / "ruletests"
POLICY = load_policy((FOLDER / "policy.yaml").read_bytes(), "policy.yaml")


def problems_of(path: Path) -> list[str]:
    parsed = parse_tests(path.read_bytes(), path.name)
    found = parsed.problems
    if parsed.tests is not None:
        found = check_names(parsed.tests, POLICY, path.name)
    return [f"{problem} [{problem.code}]" for problem in found]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.bad.test.yaml")), ids=lambda p: p.name)
def test_bad_rule_test_is_refused_with_all_its_problems(path: Path):
    expected = path.with_name(path.name.replace(".test.yaml", ".txt")).read_text().splitlines()

    assert problems_of(path) == expected
    assert expected


def test_good_rule_test_is_read_whole():
    path = FOLDER / "whole.good.test.yaml"
    tests = parse_tests(path.read_bytes(), path.name).tests

    assert problems_of(path) == []
    assert tests is not None
    assert tests.start == datetime(2026, 3, 1, 23, tzinfo=UTC)
    test = tests.tests[0]
    assert test.given.hold == "an incident"
    measured = test.candidates[0].metrics["mae"]
    assert measured.against["champion"] == Against(value=14.6, interval=(-0.9, -0.4))
    assert measured.against["anchor"] == Against(value=14.0, interval=(-0.3, 0.1))
    assert test.candidates[0].metrics["latency_ms_p95"] == RuleTestMetric(
        value=40.0, line=measured.line + 1
    )
    assert test.candidates[0].metrics["prediction_change_rate"].value is None


def test_a_series_leaves_out_its_gaps_and_repeats():
    path = FOLDER / "whole.good.test.yaml"
    tests = parse_tests(path.read_bytes(), path.name).tests
    assert tests is not None

    data = [e for e in tests.tests[0].events if e.kind == "new_data"]
    drift = [e for e in tests.tests[0].events if e.kind == "drift"]

    assert [(e.at, e.payload["rows"]) for e in data] == [
        (timedelta(0), 9000),
        (timedelta(hours=12), 12000),
        (timedelta(hours=18), 12000),
    ]
    assert [e.payload["columns"]["distance"]["psi"] for e in drift] == [0.1, 0.3, 0.3, 0.3]
    assert isinstance(drift[0], RuleTestEvent)
