"""What a forge and a release run: only targets that exist, actions by their commit, and a tag that is the version."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller import __version__

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(workflow: Path):
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_forge_runs_the_commands_that_everybody_runs(workflow: Path):
    lines = [step["run"] for step in steps(workflow) if "run" in step]
    targets = [target for line in lines for target in re.findall(r"\bmake ([a-z-]+)", line)]
    assert lines
    assert set(targets) <= TARGETS
    assert all("make " in line or ".ci/run" in line for line in lines)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read(workflow: Path):
    assert yaml.safe_load(workflow.read_text(encoding="utf-8"))["permissions"] == {
        "contents": "read"
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of the project as `scripts/dist` looks at before it builds, in a repository of its own."""
    for name in ("scripts/dist", "controller/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(f"## [Unreleased]\n\n## [{__version__}] - 2026\n\n- x\n")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *command], check=True)
    return tmp_path


def refused(checkout: Path, tag: str) -> str:
    found = subprocess.run(
        ["scripts/dist", tag], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert not (checkout / "dist").exists()
    return found.stderr


@pytest.mark.parametrize("tag", ["", "v9.9.9", __version__])
def test_a_tag_that_is_not_the_version_builds_nothing(checkout: Path, tag: str):
    assert f"v{__version__}" in refused(checkout, tag)


def test_a_version_without_a_section_in_the_changelog_builds_nothing(checkout: Path):
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n\n- x\n")
    assert f'no section "## [{__version__}]"' in refused(checkout, f"v{__version__}")


def test_a_tree_with_changes_builds_nothing(checkout: Path):
    (checkout / "controller" / "new.py").write_text("")
    assert "the working tree has changes" in refused(checkout, f"v{__version__}")
