"""How the results of rule tests are printed: for people, as JSON, as JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from controller.rulefmt.problems import Problem
from controller.service.replay.ruletests import Coverage, RuleTestDifference, RuleTestResult

RESULTS_SCHEMA_VERSION = 1


@dataclass(slots=True)
class FileResult:
    """What came out of one file of rule tests."""

    path: str
    problems: tuple[Problem, ...] = ()
    results: list[RuleTestResult] = field(default_factory=list)
    coverage: Coverage | None = None

    @property
    def passed(self) -> bool:
        """Whether the file is well formed and all of its tests pass."""
        return not self.problems and all(result.passed for result in self.results)


def results_as_text(files: Iterable[FileResult], *, verbose: bool) -> str:
    """A line a test, what differs below it, the coverage, and a line that sums up."""
    lines: list[str] = []
    tests = failed = broken = 0
    for file in files:
        tests += len(file.results)
        failed += sum(1 for r in file.results if not r.passed)
        broken += bool(file.problems)
        lines.append(file.path)
        lines += [f"  {problem}" for problem in file.problems]
        for result in file.results:
            if verbose or not result.passed:
                lines.append(f"  {'ok    ' if result.passed else 'FAILED'}  {result.name}")
            lines += _details(result, file.path)
        lines += _coverage_lines(file.coverage)
    summary = f"{tests - failed} of {_count(tests, 'test')} passed"
    if broken:
        summary += f", {_count(broken, 'file')} cannot be used"
    return "\n".join([*lines, summary])


def _details(result: RuleTestResult, path: str) -> list[str]:
    lines = [f"          {result.error}"] if result.error else []
    shown: datetime | None = None
    width = max((len(d.what) for d in result.differences), default=0)
    for difference in result.differences:
        if difference.at != shown:
            lines.append(f"          {path}:{difference.line}, at {_moment(difference.at)}")
            shown = difference.at
        lines.append(
            f"            {difference.what:<{width}}  expected {difference.expected}, was {difference.was}"
        )
        if difference.because:
            lines.append(f"            {'':<{width}}  because {difference.because}")
    return lines


def _coverage_lines(coverage: Coverage | None) -> list[str]:
    if coverage is None:
        return []
    head = f"  coverage: {coverage.covered} of {coverage.parts} gates and triggers seen both ways"
    return [head, *(f"    never seen: {phrase}" for phrase in coverage.unseen)]


def results_as_json(files: Iterable[FileResult]) -> str:
    """One object with every test, its differences, and the coverage of each file."""
    listed = list(files)
    shown = {
        "schema_version": RESULTS_SCHEMA_VERSION,
        "passed": all(file.passed for file in listed),
        "files": [_file_dict(file) for file in listed],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _file_dict(file: FileResult) -> dict[str, object]:
    coverage = file.coverage
    return {
        "path": file.path,
        "passed": file.passed,
        "problems": [problem.as_dict() for problem in file.problems],
        "tests": [
            {
                "name": result.name,
                "line": result.line,
                "passed": result.passed,
                "error": result.error,
                "differences": [_difference_dict(d) for d in result.differences],
            }
            for result in file.results
        ],
        "coverage": {
            "parts": coverage.parts,
            "covered": coverage.covered,
            "unseen": list(coverage.unseen),
        }
        if coverage
        else None,
    }


def _difference_dict(difference: RuleTestDifference) -> dict[str, object]:
    return {
        "line": difference.line,
        "at": difference.at.isoformat(),
        "what": difference.what,
        "expected": difference.expected,
        "was": difference.was,
        "because": difference.because,
    }


def as_junit(files: Iterable[FileResult]) -> str:
    """JUnit XML: a suite a file; a file that cannot be used is an error."""
    root = ET.Element("testsuites")
    for file in files:
        failures = sum(1 for r in file.results if not r.passed)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=file.path,
            tests=str(len(file.results)),
            failures=str(failures),
            errors=str(len(file.problems)),
        )
        for problem in file.problems:
            case = ET.SubElement(suite, "testcase", classname=file.path, name=problem.code)
            ET.SubElement(case, "error", message=_clean(str(problem)))
        for result in file.results:
            case = ET.SubElement(suite, "testcase", classname=file.path, name=_clean(result.name))
            if not result.passed:
                told = "\n".join(line.strip() for line in _details(result, file.path))
                failure = ET.SubElement(case, "failure", message=_clean(told.split("\n", 1)[0]))
                failure.text = _clean(told)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _clean(text: str) -> str:
    """Text without the control characters that XML does not know."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
