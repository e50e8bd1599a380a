"""What the code imports is declared: nothing leans on what another library happens to bring."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
OURS = {"controller", "workers", "tests", "benchmarks", "scripts", "examples"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = [
    *PROJECT["project"]["dependencies"],
    *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
]
# Each of these measures another tool and runs in an environment that holds that tool.
ELSEWHERE = {
    *(ROOT / "benchmarks" / subject / "tools" for subject in ("drift", "registry")),
    ROOT / "benchmarks" / "headtohead",
}
# A distribution that is the other half of a declared one.
HALVES = {
    "packaging": "pytest",
    "grimp": "import-linter",
    "starlette": "fastapi",
    "anyio": "fastapi",
    "markupsafe": "jinja2",
}


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements}
    return {canonicalize_name(name) for name in found}


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """(top-level package, line) of every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno


@pytest.mark.parametrize(
    ("folder", "declared"),
    [
        ("controller", names(SHIPPED)),
        ("workers", names(SHIPPED)),
        ("examples", names(SHIPPED)),
        ("benchmarks", names([*SHIPPED, *PROJECT["dependency-groups"]["dev"]])),
        ("tests", names([*SHIPPED, *PROJECT["dependency-groups"]["dev"]])),
    ],
    ids=["controller", "workers", "examples", "benchmarks", "tests"],
)
def test_every_import_is_declared(folder: str, declared: set[str]) -> None:
    distributions = packages_distributions()
    undeclared = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        if file.parent in ELSEWHERE:
            continue
        local = {path.stem for path in file.parent.glob("*.py")}
        for package, line in imported(file):
            if package in sys.stdlib_module_names or package in OURS | local:
                continue
            owners: set[str] = {canonicalize_name(name) for name in distributions.get(package, [])}
            owners |= {HALVES[owner] for owner in owners & HALVES.keys()}
            if not owners & declared:
                undeclared.append(f"{file.relative_to(ROOT)}:{line} imports {package}")

    assert undeclared == []
