"""The install without extras is whole: every module of the controller loads without their libraries."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# These are what an extra is for (and Alembic alone runs the migrations).
NEED_EXTRAS = re.compile(
    r"controller\.(evidence|entrypoints\.(api|mlflow|web|cli\.verify_evidence)|adapters\.sql\.migrations)\b"
)

PROGRAM = """
import importlib, sys

blocked, modules = set(sys.argv[1].split(",")), sys.argv[2].split(",")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} belongs to an extra", name=name)

sys.meta_path.insert(0, Blocker())
for module in modules:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        print(f"{module}: {error}")
"""


def names(requirements: list[str]) -> set[str]:
    return {
        str(canonicalize_name(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]))
        for line in requirements
    }


def test_every_module_of_the_controller_loads_without_extras() -> None:
    extras = names([line for extra in PROJECT["optional-dependencies"].values() for line in extra])
    extras -= names(PROJECT["dependencies"])
    blocked = {
        package
        for package, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} <= extras
    }
    files = (path.relative_to(ROOT) for path in (ROOT / "controller").rglob("*.py"))
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in files
        if path.name != "__main__.py"
    }
    loaded = sorted(name for name in modules if not NEED_EXTRAS.match(name))

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(sorted(blocked)), ",".join(loaded)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert {"numpy", "fastapi", "psycopg", "pandas"} <= blocked
    assert "controller.entrypoints.cli.main" in loaded
    assert result.stdout == ""
