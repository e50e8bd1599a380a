"""`check` and `test` over the files of a revision, before its rules may act."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import dirname, join, normpath

from controller.rulefmt.check import check_texts
from controller.rulefmt.files import is_test
from controller.rulefmt.parse import parse
from controller.rulefmt.ruletest import check_names, parse_tests
from controller.service.replay.ruletests import run_rule_test
from controller.service.replay.simulate import OpenStore


def check_revision(files: Mapping[str, bytes], open_store: OpenStore) -> list[str]:
    """Every reason not to put these files (path to content) in force, as sentences; advice is none."""
    policies = [(path, text) for path, text in sorted(files.items()) if not is_test(path)]
    notes = check_texts(policies).notes
    problems = [str(note) for note in notes if note.level != "advice" and not note.silenced]
    if problems:
        return problems
    for path in sorted(files):
        if is_test(path):
            problems += _run_tests(path, files, open_store)
    return problems


def _run_tests(path: str, files: Mapping[str, bytes], open_store: OpenStore) -> list[str]:
    parsed = parse_tests(files[path], path)
    if parsed.tests is None:
        return [str(problem) for problem in parsed.problems]
    name = normpath(join(dirname(path), parsed.tests.policy))
    if name not in files:
        return [f"{path}: it tests {name}, which is not there."]
    policy = parse(files[name], name).policy
    if policy is None:  # pragma: no cover - `check` has refused it before
        return [f"{path}: {name} does not parse."]
    wrong = check_names(parsed.tests, policy, path)
    if wrong:
        return [str(problem) for problem in wrong]
    results = [run_rule_test(t, policy, parsed.tests.start, open_store) for t in parsed.tests.tests]
    return [f"{path}:{r.line}: the rule test {r.name!r} fails." for r in results if not r.passed]
