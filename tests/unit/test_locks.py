"""The locks are valid on any machine: hashes and no addresses, and they agree with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
# What `scripts/lock` puts into each lock.
CONTENT: dict[str, list[str]] = {
    "bootstrap": GROUPS["bootstrap"],
    "core": PROJECT["project"]["dependencies"],
    "demo": [
        *PROJECT["project"]["dependencies"],
        *(line for extra in ("worker", "examples", "api") for line in EXTRAS[extra]),
    ],
    "image": [
        *PROJECT["project"]["dependencies"],
        *(
            line
            for extra in ("worker", "api", "postgres", "s3", "notify", "telemetry")
            for line in EXTRAS[extra]
        ),
    ],
    "docs": GROUPS["docs"],
    "mlflow": GROUPS["mlflow"],
    "clouds": GROUPS["clouds"],
    "dev": [
        *PROJECT["project"]["dependencies"],
        *(line for extra in EXTRAS.values() for line in extra),
        *GROUPS["dev"],
        *GROUPS["bootstrap"],
    ],
}


def pins(lock: Path) -> dict[str, set[Version]]:
    """Name -> versions; more than one where the version depends on the interpreter."""
    found: dict[str, set[Version]] = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


def by_name(lock: Path) -> str:
    return lock.stem


def test_each_lock_is_known_and_each_known_lock_is_there() -> None:
    assert {lock.stem for lock in LOCKS} == set(CONTENT)


@pytest.mark.parametrize("lock", LOCKS, ids=by_name)
def test_every_pin_has_a_hash_and_none_has_an_address(lock: Path) -> None:
    text = lock.read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]

    assert entries
    assert "://" not in text
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert [entry for entry in entries if not re.match(r"[A-Za-z0-9._-]+==", entry)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=by_name)
def test_a_lock_holds_what_pyproject_asks_for(lock: Path) -> None:
    pinned = pins(lock)

    for requirement in map(Requirement, CONTENT[lock.stem]):
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement} is not in {lock.name}: run `make lock`"
        for version in versions:
            assert version in requirement.specifier, f"{requirement}, {version}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS, ids=by_name)
def test_locks_agree_with_each_other(lock: Path) -> None:
    if lock.stem in {"mlflow", "clouds"}:
        pytest.skip("another program's environment: what it brings need not suit ours")
    everything = pins(ROOT / "locks" / "dev.txt")

    assert {
        name: versions
        for name, versions in pins(lock).items()
        if not versions <= everything.get(name, versions if lock.stem == "docs" else set())
    } == {}


def test_every_python_computes_with_the_same_versions() -> None:
    everything = pins(ROOT / "locks" / "dev.txt")

    assert {name for name, versions in everything.items() if len(versions) > 1} == set()
