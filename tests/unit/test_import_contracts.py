"""The import contracts can fail: each violation is planted in a copy of the tree and found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

VIOLATIONS = [
    pytest.param(
        "controller/domain/planted.py",
        "import controller.service",
        "Imports go one way",
        "controller.domain.planted -> controller.service",
        id="the domain looks up to a service",
    ),
    pytest.param(
        "controller/policy/planted.py",
        "import sqlalchemy",
        "The policy imports only",
        "controller.policy.planted is not allowed to import sqlalchemy (l.1)",
        id="the policy opens a database",
    ),
    pytest.param(
        "controller/policy/planted.py",
        "import random",
        "The policy imports only",
        "controller.policy.planted is not allowed to import random (l.1)",
        id="the policy throws dice",
    ),
    pytest.param(
        "controller/domain/planted.py",
        "from celery import Celery",
        "The domain imports only",
        "controller.domain.planted is not allowed to import celery (l.1)",
        id="the domain sends messages",
    ),
    pytest.param(
        "controller/adapters/celery/planted.py",
        "import workers",
        "never imports workers",
        "controller.adapters.celery.planted -> workers",
        id="the control plane imports workers",
    ),
    pytest.param(
        "controller/service/planted.py",
        "import numpy",
        "it computes no statistics",
        "controller.service.planted -> numpy",
        id="a service computes",
    ),
    pytest.param(
        "controller/service/planted.py",
        "from controller import evidence",
        "it computes no statistics",
        "controller.service.planted -> controller.evidence",
        id="a service imports evidence",
    ),
    pytest.param(
        "controller/adapters/planted.py",
        "import pickle",
        "never unpickles",
        "controller.adapters.planted -> pickle",
        id="an adapter unpickles",
    ),
    pytest.param(
        "workers/planted.py",
        "import controller.policy",
        "Workers report and never decide",
        "workers.planted -> controller.policy",
        id="a worker decides",
    ),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in ("controller", "workers"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "import_contracts.py", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    # The copy comes first on the path: the project itself is installed editable.
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tree_keeps_its_contracts(tree: Path) -> None:
    result = lint_imports(tree)

    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(("file", "line", "contract", "shown"), VIOLATIONS)
def test_a_planted_violation_is_named(
    tree: Path, file: str, line: str, contract: str, shown: str
) -> None:
    (tree / file).write_text(f"{line}\n")

    result = lint_imports(tree)

    assert result.returncode == 1, result.stdout + result.stderr
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert any(contract in row for row in broken), result.stdout
    assert shown in result.stdout
