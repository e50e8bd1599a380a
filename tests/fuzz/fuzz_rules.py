"""Fuzzing of everything that reads rules: ``python tests/fuzz/fuzz_rules.py [SECONDS]``.

Guided by coverage where `atheris` is installed, blind otherwise. Whatever the bytes, reading them ends in a policy
or in problems: an exception, a file that takes longer than a second, or more than 200 MB above the start ends the run.
The corpus begins with the policies and rule tests of the unit tests.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from tests.fuzz.drive import drive, instrumented  # noqa: E402 - beside this file, which runs as a script

with instrumented("controller", "yaml"):
    from controller.rulefmt.lints import lint
    from controller.rulefmt.parse import parse
    from controller.rulefmt.reference import all_sections
    from controller.rulefmt.ruletest import check_names, parse_tests
    from controller.rulefmt.schema.policy import POLICY
    from controller.rulefmt.schema.ruletest import RULE_TEST

MOST_SECONDS = 1.0
MOST_KILOBYTES = 200 * 1024
LONGEST = 100_000
FULL = (ROOT / "tests/unit/rulefmt/policies/full.good.yaml").read_bytes()
RULES = parse(FULL, "full.yaml").policy
START = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read(text: bytes) -> None:
    """Everything that is done with rules before anybody trusts them."""
    parsed = parse(text, "p.yaml")
    if (parsed.policy is None) is not bool(parsed.problems):
        raise AssertionError("a policy, or problems, never both or neither")
    if parsed.policy is not None:
        lint(parsed.policy, text.decode("utf-8"), "p.yaml")
    for problem in parsed.problems:
        if "\n" in str(problem) or len(str(problem)) > 2000:
            raise AssertionError("a problem is one readable line")
    tests = parse_tests(text, "p.test.yaml")
    if tests.tests is not None and RULES is not None:
        check_names(tests.tests, RULES, "p.test.yaml")


def fuzz(text: bytes) -> None:
    """One input, with its limits of time and memory."""
    began = time.process_time()
    read(text)
    took = time.process_time() - began
    if took > MOST_SECONDS:
        raise AssertionError(f"{len(text)} bytes took {took:.2f} s")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - START
    if grown > MOST_KILOBYTES:
        raise AssertionError(f"{grown // 1024} MB were taken")


def corpus(folder: Path) -> None:
    """The files to begin with, and whole policies at the size of the limit."""
    for number, path in enumerate(sorted((ROOT / "tests/unit/rulefmt").rglob("*.yaml"))):
        shutil.copy(path, folder / f"{number}-{path.name}")
    (folder / "large").write_bytes(b"promote:\n" + b"- {metric: mae, at_most: 1}\n" * 3500)


def dictionary(path: Path) -> None:
    """The words of the format, for the fuzzer to put in."""
    words = {key.name for root in (POLICY, RULE_TEST) for s in all_sections(root) for key in s.keys}
    signs = [
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "!!",
        "---",
        "? ",
        "| ",
        "> ",
        "#",
        "%",
    ]
    signs += ["1e-3", "1:30", ".nan", "010", "2013-01-01", "yes", "3%", "2d", "2GiB", "0 3 * * 1"]
    path.write_text("".join(f'"{word}"\n' for word in sorted(words) + signs))


def main() -> None:
    """Fuzz for so many seconds (600)."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    with tempfile.TemporaryDirectory() as place:
        seeds, words = Path(place, "corpus"), Path(place, "words")
        seeds.mkdir()
        corpus(seeds)
        dictionary(words)
        drive(fuzz, seeds, seconds, f"-dict={words}", f"-max_len={LONGEST}")


if __name__ == "__main__":
    main()
