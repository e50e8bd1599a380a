"""`make demo-rollback`: a bad champion on purpose, and the whole story of how it leaves the seat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 420.0
ROOT = Path(__file__).parents[2]


def incumbent(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("incumbent")), *words]
    environment = {**os.environ, "INCUMBENT_HOME": str(home)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )  # fmt: skip


def as_json(home: Path, *words: str) -> Any:
    return json.loads(incumbent(home, *words, "--json").stdout)


@pytest.mark.long
def test_a_bad_champion_leaves_the_seat_by_its_own_figures(tmp_path: Path):
    home = tmp_path / "demo"
    told = incumbent(home, "demo", "--rollback", "--home", str(home))
    assert told.returncode == 0, told.stderr
    assert "decision" in told.stdout
    assert "rolled back from v2 to v1: mae worse than previous by 10 %" in told.stdout
    assert "v1 is champion, proven to answer in a fresh process" in told.stdout
    assert "Automatic promotion is on hold until somebody releases it." in told.stdout

    reigns = as_json(home, "audit", "flight-delay")["reigns"]
    assert [(one["version"], one["cause"]) for one in reigns] == [
        (1, "rollback"), (2, "promotion"), (1, "promotion"),
    ]  # fmt: skip
    assert as_json(home, "verify", "--all")["whole"]
    (row,) = as_json(home, "versions", "flight-delay", "--state", "rejected")
    assert row["version"] == 2
    released = incumbent(home, "release", "flight-delay", "--reason", "fixed", "--yes")
    assert released.returncode == 0, released.stderr
