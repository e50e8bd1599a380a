from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from controller.entrypoints.cli.main import main

POLICY = """
version: 1
model: m
data: {source: "d/*.parquet", time: t, target: y}
train: {entrypoint: "a:b"}
triggers: [{new_data: {rows: 100}}]
promote: [{name: better, metric: mae, better_than: champion}]
"""
TESTS = """
version: 1
policy: m.yaml
tests:
  - name: data trains
    series: [{new_data: "40 140"}]
    expect:
      - {at: 0d, decision: none}
      - {at: 1d, decision: train}
"""
FAILING = TESTS.replace("decision: train", "decision: promote")


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "m.yaml").write_text(POLICY)
    (folder / "m.test.yaml").write_text(TESTS)
    return folder


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["test", *args])


def test_passing_tests_end_with_code_0_and_the_coverage(rules: Path):
    result = run("-v")

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "rules/m.test.yaml",
        "  ok      data trains",
        "  coverage: 1 of 2 gates and triggers seen both ways",
        "    never seen: gate better: pass and fail",
        "1 of 1 test passed",
    ]


def test_a_failing_test_shows_what_was_expected_what_was_and_why(rules: Path):
    (rules / "m.test.yaml").write_text(FAILING)

    result = run()

    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[1:4] == [
        "  FAILED  data trains",
        "          rules/m.test.yaml:9, at 2026-01-02 00:00:00 UTC",
        "            decision  expected promote, was train",
    ]
    assert lines[4].strip().startswith("because m.r1 trains a challenger")


def test_json_says_the_same(rules: Path):
    (rules / "m.test.yaml").write_text(FAILING)

    shown = json.loads(run("--json").output)

    assert (shown["schema_version"], shown["passed"]) == (1, False)
    difference = shown["files"][0]["tests"][0]["differences"][0]
    assert (difference["line"], difference["expected"], difference["was"]) == (
        9,
        "promote",
        "train",
    )
    assert shown["files"][0]["coverage"]["unseen"] == ["gate better: pass and fail"]


def test_junit_holds_a_case_for_each_test(rules: Path, tmp_path: Path):
    (rules / "m.test.yaml").write_text(FAILING)
    (rules / "n.test.yaml").write_text("tests: []")

    result = run("--junit", "out.xml")

    suites = ET.parse(tmp_path / "out.xml").getroot().findall("testsuite")
    assert result.exit_code == 1
    assert [(s.get("tests"), s.get("failures"), s.get("errors")) for s in suites] == [
        ("1", "1", "0"),
        ("0", "0", "3"),
    ]
    failure = suites[0].find("testcase/failure")
    assert failure is not None
    assert "expected promote, was train" in (failure.text or "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(("policy: m.yaml", "policy: n.yaml"), "no file", id="missing-policy"),
        pytest.param(("rows", "rosw"), "unknown key `rosw`", id="broken-policy"),
        pytest.param(("decision: train", "gates: {beter: pass}"), "no gate `beter`", id="gate"),
        pytest.param(("decision: train", "triggers: {m: firing}"), "no trigger `m`", id="trigger"),
        pytest.param((", decision: train", ""), "expects nothing", id="expects-nothing"),
    ],
)
def test_a_test_that_cannot_be_run_fails(rules: Path, change: tuple[str, str], words: str):
    for name in ("m.yaml", "m.test.yaml"):
        path = rules / name
        path.write_text(path.read_text().replace(*change))

    result = run()

    assert result.exit_code in {1, 3}
    assert words in result.output
    assert "Traceback" not in result.output


def test_coverage_may_be_asked_for(rules: Path):
    assert run("--coverage", "50").exit_code == 0
    assert run("--coverage", "51").exit_code == 1


def test_only_some_tests(rules: Path):
    assert "1 of 1 test passed" in run("-k", "trains").output
    nothing = run("-k", "something else")
    assert (nothing.exit_code, "no test whose name contains" in nothing.output) == (3, True)
