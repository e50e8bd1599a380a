"""`incumbent demo` with real processes: two months, off a terminal, and the commands that it recommends."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 280.0
ROOT = Path(__file__).parents[2]
INCUMBENT = Path(sys.executable).with_name("incumbent")


def incumbent(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INCUMBENT_")}
    if home is not None:
        environment["INCUMBENT_HOME"] = str(home)
    return subprocess.run(
        [str(INCUMBENT), *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("demo") / "home"
    done = incumbent("demo", "--home", str(home), "--months", "2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return home, done.stdout


@pytest.mark.slow
def test_it_plays_real_months_and_says_so_in_plain_lines(played: tuple[Path, str]):
    _, said = played
    assert "\x1b" not in said
    january = next(line for line in said.splitlines() if line.startswith("2013-01"))
    assert "27,004 rows  new_data  v1" in january
    assert "against training median" in january
    assert "promote: 4 of 4 gates passed" in january
    assert len([line for line in said.splitlines() if line.startswith("2013-02")]) == 2


@pytest.mark.slow
def test_the_commands_that_it_recommends_work(played: tuple[Path, str]):
    home, said = played
    lines = [line.strip() for line in said.splitlines() if line.startswith("  INCUMBENT_HOME=")]
    assert len(lines) >= 4
    for line in lines:
        setting, program, *words = shlex.split(line)
        assert setting == f"INCUMBENT_HOME={home}"
        assert Path(program).name == "incumbent"
        done = incumbent(*words, home=home)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.slow
def test_a_byte_that_was_changed_is_found(played: tuple[Path, str]):
    home, _ = played
    assert incumbent("verify", "--all", home=home).returncode == 0
    file = home / "incumbent.db"
    content = file.read_bytes()
    verdict = re.search(rb'"verdict":"promote"', content)
    assert verdict is not None
    (home / "kept.db").write_bytes(content)
    file.write_bytes(content[: verdict.end() - 2] + b"f" + content[verdict.end() - 1 :])
    found = incumbent("verify", "--all", home=home)
    file.write_bytes(content)
    assert found.returncode == 1
    assert "Decision 3 was changed: its hash does not match." in found.stdout


@pytest.mark.slow
def test_decisions_can_be_read_by_programs(played: tuple[Path, str]):
    home, _ = played
    found = json.loads(incumbent("decisions", "--json", home=home).stdout)
    promoted = [item for item in found if item["verdict"] == "promote"]
    assert promoted[0]["champion_after"] == 1
    assert (home / "champion.svg").read_text(encoding="utf-8").startswith("<svg")
