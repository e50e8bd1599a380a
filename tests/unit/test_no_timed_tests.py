"""No test passes or fails by how long something took: a slow machine is no fault of the code.

What is refused: an assertion that compares with a reading of a clock, or with a name that was made from one, and
`time.sleep`. A test waits with `tests.support.waiting.until`; how long things take is measured by `benchmarks`. Code
that a test hands to another process as a text is not looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "time"}
EXCEPTIONS = {
    "tests/support/waiting.py": "the one place that waits, with a deadline against hanging for ever",
    "tests/support/brokers.py": "a server is given up that never starts",
    "tests/support/clouds.py": "the same",
    "tests/support/mlflow.py": "the same",
    "tests/support/postgres.py": "the same",
    "tests/support/transcript.py": "waits for a program on a screen that says nothing when it is done",
    "tests/support/crashes.py": "a process dies while it sleeps, or a story is given up that never ends",
    "tests/support/inflow.py": "measures, for the benchmarks",
    "tests/support/post.py": "a server that is slow on purpose",
    "tests/chaos": "rests between two faults, at random",
    "tests/integration/test_promotion_race.py": "rests between two kills, at random",
}


def timed(tree: ast.AST) -> Iterator[str]:
    """What depends on the clock, each with its line."""
    for scope in ast.walk(tree):
        if isinstance(scope, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _timed_in(scope)


def _timed_in(scope: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    readings: set[str] = set()
    for node in _own(scope):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            if _reads_clock(node.value, readings):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                readings |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.Assert) and _compares(node.test, readings):
            yield f"{node.lineno}: an assertion about a time that passed"
        elif isinstance(node, ast.Call) and _called(node) == ("time", "sleep"):
            yield f"{node.lineno}: time.sleep"


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in the order of the text, without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            yield from _own(child)


def _compares(test: ast.expr, readings: set[str]) -> bool:
    return any(
        isinstance(node, ast.Compare) and _reads_clock(node, readings) for node in ast.walk(test)
    )


def _reads_clock(expression: ast.expr, readings: set[str]) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in readings)
        or (isinstance(node, ast.Call) and _is_clock(*_called(node)))
        for node in ast.walk(expression)
    )


def _called(call: ast.Call) -> tuple[str, str]:
    match call.func:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module, name
        case ast.Name(id=name):
            return "", name
        case _:
            return "", ""


def _is_clock(module: str, name: str) -> bool:
    return name in CLOCKS and (module == "time" or (module == "" and name != "time"))


def _timed_file(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    signs = (*CLOCKS - {"time"}, "time.time", "time.sleep")
    return list(timed(ast.parse(text))) if any(sign in text for sign in signs) else []


def _is_excepted(file: Path) -> bool:
    named = file.relative_to(ROOT).as_posix()
    return any(named == path or named.startswith(f"{path}/") for path in EXCEPTIONS)


def test_no_test_is_about_time():
    found = [
        f"{file.relative_to(ROOT)}:{problem}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        if not _is_excepted(file)
        for problem in _timed_file(file)
    ]
    assert found == []


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_each_exception_is_needed(path: str):
    place = ROOT / path
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert any(map(_timed_file, files))


@pytest.mark.parametrize(
    "text",
    [
        "began = time.monotonic()\nwork()\nassert time.monotonic() - began < 3",
        "def test():\n    began = perf_counter()\n    took = perf_counter() - began\n    assert took < 1, 'slow'",
        "def test():\n    ends = time.time() + 3\n    while y():\n        assert time.time() < ends",
        "assert (time.process_time() < 2) and x",
        "def test():\n    time.sleep(0.1)",
    ],
)
def test_what_is_about_time_is_found(text: str):
    assert len(list(timed(ast.parse(text)))) == 1


def test_what_reads_a_clock_for_other_reasons_is_not_found():
    text = "now = datetime.now(UTC)\nassert row.at == now\nuntil(lambda: x, seconds=3)\n'time.sleep(3)'"
    assert list(timed(ast.parse(text))) == []
