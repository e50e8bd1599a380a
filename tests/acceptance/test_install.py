"""The wheel and the sdist, outside the repository, in an empty environment of each Python that we promise."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
PATIENCE = 120.0
DATA = """
import numpy as np, pandas as pd
from pathlib import Path
rng = np.random.default_rng(1)
n = 3000
x = rng.normal(size=n)
time = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n) * 20, unit="min")
Path("data").mkdir()
pd.DataFrame({"time": time, "x": x, "target": 3 * x + rng.normal(size=n)}).to_parquet("new.parquet")
Path("new.parquet").rename("data/new.parquet")
"""


def build(source: Path, out: Path, target: str) -> Path:
    """The wheel or sdist of a source tree."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=source,
        check=True,
        capture_output=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1767225600"},
    )
    (made,) = out.iterdir()
    return made


def find_python(version: str) -> Path:
    """An interpreter of that version; skips where there is none."""
    if sys.version.startswith(f"{version}."):
        return Path(sys.executable)
    places = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)
    if found := shutil.which(f"python{version}"):
        places.append(Path(found))
    for place in places:
        said = subprocess.run(
            [place, "-c", "import venv, sys; print(sys.version)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.stdout.startswith(f"{version}."):
            return place
    pytest.skip(f"there is no Python {version} here")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


def environment(folder: Path, python: Path, wheel: Path) -> Path:
    """An environment with the locked packages and the wheel; the folder of its programs."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        folder / "bin" / "python",
    ]
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "locks" / "demo.txt"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    return folder / "bin"


class Outside:
    """A folder outside the repository, and a shell that knows only the environment."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        kept = ("SSL_CERT_FILE", "LANG")
        self.names = {name: os.environ[name] for name in kept if name in os.environ} | {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(folder),
            "INCUMBENT_PORT": "0",
        }

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.names,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[Path]:
        """`incumbent up` while the block runs; yields its log."""
        log = self.folder / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["incumbent", "up"], cwd=self.folder, env=self.names, stdout=output, stderr=output
            )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(60)

    def until_champion(self, log: Path) -> list[dict[str, Any]]:
        def crowned() -> list[dict[str, Any]] | None:
            versions = self._versions()
            return versions if any(one["champion"] for one in versions) else None

        found: list[dict[str, Any]] = until(crowned, PATIENCE, words=log.read_text, pause=0.5)
        return found

    def _versions(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            ["incumbent", "versions", "my-model", "--json"],
            cwd=self.folder,
            env=self.names,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        found = json.loads(done.stdout) if done.returncode == 0 else []
        return list(found)


@pytest.mark.long
@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_trains_and_promotes_on(version: str, wheel: Path, tmp_path: Path):
    programs = environment(tmp_path / "venv", find_python(version), wheel)
    place = tmp_path / "place"
    place.mkdir()
    outside = Outside(place, programs)

    assert outside.run("python", "-c", "import controller; print(controller.__file__)").startswith(
        str(tmp_path / "venv")
    )
    outside.run("incumbent", "init", "--ci", "none")
    assert "good: 1 file" in outside.run("incumbent", "check")
    assert "4 of 4 tests passed" in outside.run("incumbent", "test")
    with outside.up() as log:
        outside.run("python", "-c", DATA)
        (only,) = outside.until_champion(log)
        assert only["champion"]
    assert "all as recorded" in outside.run("incumbent", "verify", "--all")
    assert "Traceback" not in log.read_text()


@pytest.mark.long
def test_the_sdist_is_whole_and_builds_the_same_wheel(wheel: Path, tmp_path: Path):
    made = build(ROOT, tmp_path / "sdist", "sdist")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()

    again = build(source, tmp_path / "again", "wheel")

    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
    assert not {
        name for name in names if name.startswith((".venv", ".incumbent", "site/", ".git/"))
    }
    assert again.name == wheel.name
    assert _digest(again) == _digest(wheel)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
