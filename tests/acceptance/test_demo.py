"""`make demo` as the README says it, off a terminal: the whole year, then every other command of the README.

It runs in a copy of the checkout that shares this environment, so that nobody's own `.incumbent` is touched.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.rulefmt import load_policy

PATIENCE = 420.0
"""Seconds for one command. The year takes one to three minutes; a busy machine may be slower."""
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COPIED = (
    "Makefile",
    "README.md",
    "pyproject.toml",
    "scripts",
    "locks",
    "rules",
    "examples",
    "tests/unit/test_version.py",
)
RECURSIVE = {"make test": "make test ARGS=tests/unit/test_version.py"}
"""What would run this test again is run on a part: the command is the same, the tests are fewer."""


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Every command that the README types in the checkout, in order, without its comment.

    Its last block is typed in a project of the reader's own; the tests of the wheel and the tutorial walk that way.
    """
    here = [block for block in blocks("console") if "venv .venv" not in block]
    lines = [line for block in here for line in block.splitlines()]
    return [line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ ")]


@dataclass
class Checkout:
    """A copy of the checkout in which a reader types."""

    folder: Path
    home: Path
    said: str = ""

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A line at the reader's shell."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("INCUMBENT_")}
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env={**clean, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Somebody who has just run `make demo`."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)  # keeps times, and so make's view of what is new
        else:
            shutil.copy2(ROOT / name, target)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    there = Checkout(folder, folder / ".incumbent" / "demo")
    done = there.run("make demo")
    assert done.returncode == 0, done.stdout + done.stderr
    there.said = done.stdout
    return there


def table(text: str) -> list[list[str]]:
    """Decision, month, rows, trigger, verdict and reason of each line of a table of twelve months."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return [[*row[:4], *row[6:]] for row in rows if len(row) == 8 and row[0].isdecimal()]


@pytest.mark.slow
def test_the_year_ends_with_a_table_of_twelve_months(reader: Checkout):
    rows = table(reader.said)
    assert [row[1] for row in rows] == [f"2013-{month:02d}" for month in range(1, 13)]
    verdicts = [row[4] for row in rows]
    assert verdicts[0] == "promote"
    assert {"promote", "reject", "hold"} == set(verdicts)
    assert "\x1b" not in reader.said
    assert (reader.home / "champion.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.slow
def test_the_readme_shows_what_the_demonstration_prints(reader: Checkout):
    shown = next(text for text in blocks("text") if "VERDICT" in text)
    assert table(shown) == table(reader.said)
    assert shown.strip().splitlines()[-1] in reader.said


@pytest.mark.slow
def test_every_command_of_the_readme_works(reader: Checkout):
    found = commands()
    assert "make demo" in found
    assert len(found) >= 7
    environment: dict[str, str] = {}
    for command in found:
        if command == "make demo":  # has been run
            continue
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value
            continue
        done = reader.run(RECURSIVE.get(command, command), **environment)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert done.stdout


@pytest.mark.slow
def test_the_commands_that_the_demonstration_recommends_work(reader: Checkout):
    lines = [line.strip() for line in reader.said.splitlines() if line.startswith("  INCUMBENT_")]
    assert len(lines) == 5
    for line in lines:
        assert shlex.split(line)[:2] == ["INCUMBENT_HOME=.incumbent/demo", ".venv/bin/incumbent"]
        done = reader.run(line)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.slow
def test_a_byte_that_was_changed_is_found(reader: Checkout):
    verify = "INCUMBENT_HOME=.incumbent/demo .venv/bin/incumbent verify --all"
    assert reader.run(verify).returncode == 0
    file = reader.home / "incumbent.db"
    content = file.read_bytes()
    place = content.index(b'"verdict":"promote"') + len('"verdict":"promot')
    file.write_bytes(content[:place] + b"E" + content[place + 1 :])
    found = reader.run(verify)
    file.write_bytes(content)
    assert found.returncode == 1
    assert re.search(r"Decision \d+ was changed: its hash does not match\.", found.stdout)


@pytest.mark.slow
def test_decisions_can_be_read_by_programs(reader: Checkout):
    said = reader.run("INCUMBENT_HOME=.incumbent/demo .venv/bin/incumbent decisions --json").stdout
    promoted = [item for item in json.loads(said) if item["verdict"] == "promote"]
    assert promoted[-1]["champion_after"] == 1


def test_the_readmes_policy_is_whole_and_short():
    (text,) = blocks("yaml")
    assert load_policy(text, "README.md").model == "flight-delay"
    assert len(text.splitlines()) <= 10


def test_the_readmes_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
