"""The first thing a newcomer runs: what it says when the machine lacks something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def interpreter(folder: Path, name: str, *, version: str, ensurepip: bool = True) -> Path:
    """A stand-in that answers the few questions which the scripts ask."""
    folder.mkdir(exist_ok=True)
    script = folder / name
    supported = version in {"3.11", "3.12", "3.13"}
    script.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"    *sys.exit*) exit {0 if supported else 1} ;;\n"
        f"    *ensurepip*) exit {0 if ensurepip else 1} ;;\n"
        f"    *version_info*) echo {version} ;;\n"
        f"    *base_prefix*) echo {folder} ;;\n"
        "    *) echo unexpected: $* >&2; exit 9 ;;\n"
        "esac\n"
    )
    script.chmod(0o755)
    return script


def run(script: str, *arguments: Path | str, path: str | None = None) -> tuple[int, str, str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    result = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / script), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10", "3.14"])
def test_an_unsupported_python_is_refused_in_one_sentence(tmp_path: Path, version: str) -> None:
    python = interpreter(tmp_path / "bin", "python3", version=version)

    code, _, said = run("set-up", tmp_path / "venv", python, "dev")

    assert code == 2
    assert said == (
        f"set-up: `{python}` is Python {version}, and Incumbent needs 3.11, 3.12 or 3.13;"
        " name one with PYTHON=/path/to/python.\n"
    )
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    code, _, said = run("set-up", tmp_path / "venv", "no-such-python", "dev")

    assert code == 2
    assert said.startswith("set-up: there is no `no-such-python` here; install Python 3.11")
    assert said.count("\n") == 1


def test_a_python_without_venv_names_the_package_to_install(tmp_path: Path) -> None:
    python = interpreter(tmp_path / "bin", "python3", version="3.12", ensurepip=False)

    code, _, said = run("set-up", tmp_path / "venv", python, "dev")

    assert code == 2
    assert said.endswith("on Debian and Ubuntu run: apt-get install python3.12-venv.\n")
    assert said.count("\n") == 1


def test_the_first_supported_interpreter_is_found(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin", "python3", version="3.10")
    interpreter(tmp_path / "bin", "python3.12", version="3.12")
    interpreter(tmp_path / "bin", "python3.11", version="3.11")

    code, found, _ = run("find-python", path=str(tmp_path / "bin"))

    assert (code, found) == (0, "python3.12\n")


def test_without_a_supported_interpreter_the_set_up_has_the_word(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin", "python3", version="3.10")

    assert run("find-python", path=str(tmp_path / "bin")) == (0, "python3\n", "")


def test_another_interpreter_makes_the_environment_anew(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / ".made-with").write_text(f"{sys.base_prefix}\n")
    (venv / ".ready-dev").touch()

    run("same-python", venv, sys.executable)
    kept = (venv / ".ready-dev").exists()
    run("same-python", venv, interpreter(tmp_path / "bin", "python3", version="3.12"))

    assert kept
    assert not (venv / ".ready-dev").exists()
