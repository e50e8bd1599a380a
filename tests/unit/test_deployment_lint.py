"""`make check` refuses a broken Dockerfile, compose file, manifest, workflow or script, and what is not pinned."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from scripts import deployment
from scripts.deployment import ROOT, SOME_PLATFORMS, commands, invalid_manifests, refused, unpinned

WHOLE = ("Dockerfile", "docker-compose.yml", ".github", ".ci", "ci", "deploy", "scripts",
         ".pre-commit-config.yaml", "controller/entrypoints/cli/init_files")  # fmt: skip
BROKEN = {
    "hadolint": ("Dockerfile", "COPY controller controller", "ADD controller controller"),
    "shellcheck": ("ci/github/comment.sh", "set -euo pipefail", "set -euo pipefail\nrm $1"),
    "yamllint": ("deploy/observability/alerts.yaml", "groups:", "groups: \ngroups:"),
    "zizmor": (".github/workflows/ci.yml", "run: make check", "run: echo ${{ github.head_ref }}"),
    "vendor.github-workflows": (".github/workflows/ci.yml", "runs-on:", "runs-in:"),
    "vendor.github-actions": ("ci/github/action.yml", "using: composite", "using: composit"),
    "vendor.dependabot": (".github/dependabot.yml", "interval: weekly", "interval: sometimes"),
    "vendor.compose-spec": ("docker-compose.yml", "restart: unless-stopped", "restarts: always"),
    "vendor.gitlab-ci": ("ci/gitlab/rules.yml", "when: always", "when: sometimes"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in WHOLE:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("linter", BROKEN)
def test_a_broken_file_is_refused(copy: Path, linter: str):
    [command] = [one for one in commands(copy) if linter in one]
    program = Path(sys.executable).with_name(command[0])
    if command[0] in SOME_PLATFORMS and not program.exists():
        pytest.skip(f"{command[0]} has no wheel for this platform")
    name, old, new = BROKEN[linter]
    change(copy / name, old, new)
    assert Path(name).name in refused(copy, command)


def test_a_manifest_that_kubernetes_refuses_is_named(copy: Path):
    assert list(invalid_manifests(copy)) == []
    change(copy / "deploy/kubernetes/api.yaml", "containerPort:", "containerPrt:")
    [said] = invalid_manifests(copy)
    assert said.startswith("deploy/kubernetes/api.yaml:")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Dockerfile", "FROM python:3.13-slim AS last"),
        ("docker-compose.yml", "    image: postgres:18"),
        ("ci/gitlab/rules.yml", "  image: python@sha256:abc"),
        (".github/workflows/ci.yml", "      - uses: actions/checkout@v4"),
        ("ci/github/action.yml", "#         - uses: actions/checkout@main"),
        ("deploy/kubernetes/api.yaml", "          image: registry.example.com/other:1"),
    ],
)
def test_what_is_not_pinned_by_digest_is_named_with_its_place(copy: Path, name: str, line: str):
    assert list(unpinned(copy)) == []
    file = copy / name
    number = len(file.read_text().splitlines()) + 1
    file.write_text(f"{file.read_text()}{line}\n")
    [said] = unpinned(copy)
    assert said.startswith(f"{name}:{number}: ")


def test_the_whole_check_tells_all_that_it_finds(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deployment, "commands", lambda _: iter([["no-such-linter"]]))
    change(copy / "docker-compose.yml", "image: redis:8.10.1@sha256:", "image: redis:")
    assert deployment.main(copy) == 1
    said = capsys.readouterr().err
    assert "no-such-linter is not installed" in said
    assert "docker-compose.yml:60:" in said


def test_every_exception_is_still_needed():
    text = "\n".join(
        (ROOT / name).read_text()
        for name in ["Dockerfile", *deployment.found_by(ROOT, *deployment.YAML)]
    )
    assert not [name for name in deployment.NOT_PINNED if f" {name}\n" not in text]
