"""`incumbent test`: rule tests, in simulated time, through the function that decides in production."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from controller.domain.rules import Policy
    from controller.entrypoints.cli.test_results import FileResult
    from controller.rulefmt.problems import Problem
    from controller.rulefmt.testcases import RuleTests


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "only", default="", help="Run only tests whose name contains this.")
@click.option("-v", "--verbose", is_flag=True, help="Name the tests that pass as well.")
@click.option("--json", "as_json", is_flag=True, help="Results as JSON.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file too.")
@click.option(
    "--coverage",
    type=click.IntRange(0, 100),
    default=0,
    metavar="PERCENT",
    help="Fail unless so many of the gates and triggers were seen both ways.",
)
@click.pass_context
def test(
    ctx: click.Context,
    paths: tuple[Path, ...],
    *,
    only: str,
    verbose: bool,
    as_json: bool,
    junit: Path | None,
    coverage: int,
) -> None:
    """Run rule tests (`NAME.test.yaml`) in simulated time.

    PATHS are rule tests or folders of them; without any, the folder `rules`. Exit code 0: all passed, 1: not.
    """
    from controller.domain.errors import NotFound
    from controller.entrypoints.cli import test_results
    from controller.rulefmt.files import is_test, rule_files

    found = [f for f in rule_files(paths or (Path("rules"),)) if is_test(f)]
    results = [_run_file(path, only) for path in found]
    if not any(r.results or r.problems for r in results):
        what = f"no test whose name contains {only!r}" if only else "no rule test (NAME.test.yaml)"
        raise NotFound(f"There is {what} here.")
    if junit is not None:
        junit.write_text(test_results.as_junit(results) + "\n", encoding="utf-8")
    click.echo(
        test_results.results_as_json(results)
        if as_json
        else test_results.results_as_text(results, verbose=verbose)
    )
    ctx.exit(0 if all(r.passed for r in results) and _enough(results, coverage) else 1)


def _run_file(path: Path, only: str) -> FileResult:
    from controller.adapters.memory.store import MemoryStore
    from controller.entrypoints.cli.test_results import FileResult
    from controller.service.replay.ruletests import cover, run_rule_test

    tests, policy, problems = _load(path)
    result = FileResult(str(path), problems)
    if tests is None or policy is None:
        return result
    for test in tests.tests:
        if only in test.name:
            result.results.append(run_rule_test(test, policy, tests.start, MemoryStore))
    decisions = (decision for r in result.results for decision in r.decisions)
    result.coverage = None if only else cover(policy, decisions)
    return result


def _load(path: Path) -> tuple[RuleTests | None, Policy | None, tuple[Problem, ...]]:
    """The tests, their policy, and what is wrong with either or between them."""
    from controller.rulefmt.parse import parse, read_policy_text
    from controller.rulefmt.ruletest import check_names, parse_tests

    parsed = parse_tests(read_policy_text(path), str(path))
    if parsed.tests is None:
        return None, None, parsed.problems
    policy_path = path.parent / parsed.tests.policy
    policy = parse(read_policy_text(policy_path), str(policy_path))
    if policy.policy is None:
        return None, None, policy.problems
    wrong = check_names(parsed.tests, policy.policy, str(path))
    return (None, None, wrong) if wrong else (parsed.tests, policy.policy, ())


def _enough(results: list[FileResult], percent: int) -> bool:
    counted = [r.coverage for r in results if r.coverage is not None]
    parts = sum(c.parts for c in counted)
    return 100 * sum(c.covered for c in counted) >= percent * parts
