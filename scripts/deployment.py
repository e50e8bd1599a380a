"""Lints what is not Python: the Dockerfile, compose file, manifests, workflows and shell scripts.

Every image and action is held to a digest. A part of ``make check``; docs/decisions/0034-pins-and-linters.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
SOME_PLATFORMS = frozenset({"hadolint", "shellcheck", "zizmor"})
"""Linters that have no wheel for every platform; where one is missing, that is said and the others run."""

YAML_RULES = (
    "{extends: default, rules: {line-length: disable, document-start: disable, braces: disable, brackets: disable,"
    " comments: {min-spaces-from-content: 1}, comments-indentation: disable, truthy: {check-keys: false}}}"
)
SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "vendor.github-actions": "ci/github/action.yml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.compose-spec": "docker-compose.yml",
    "vendor.gitlab-ci": "ci/gitlab/*.yml",
}
YAML = (
    "docker-compose.yml", ".github/**/*.yml", "ci/**/*.yml", "deploy/**/*.yaml", ".pre-commit-*.yaml",
    "controller/entrypoints/cli/init_files/*.yml.txt",
)  # fmt: skip
SHELL = (".ci/run", "ci/github/*.sh", "scripts/*")
KUBERNETES = "1.37"

NOT_PINNED = {
    "incumbent": "built from the Dockerfile here; an overlay names the team's own",
    "OWNER/incumbent/ci/github@VERSION": "this repository, wherever it is published",
}
"""What has no digest, and why."""
_USED = re.compile(r"^[#\s-]*(?:FROM|image:|uses:)\s+([^\s#]+)")
_BY_DIGEST = re.compile(r"@(?:sha256:[0-9a-f]{64}|[0-9a-f]{40})$")


def found_by(root: Path, *patterns: str) -> list[str]:
    """Files below ``root`` by their names there."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(str(path.relative_to(root)) for path in found)


def scripts_of(root: Path) -> list[str]:
    """The shell scripts, known by their first line."""
    return [name for name in found_by(root, *SHELL) if _is_shell(root / name)]


def _is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(?:ba|da)?sh\b", file.readline()) is not None


def commands(root: Path) -> Iterator[list[str]]:
    """The linters with what each looks at."""
    yield ["hadolint", "--failure-threshold", "style", "Dockerfile"]
    yield ["shellcheck", *scripts_of(root)]
    yield ["yamllint", "--strict", "-d", YAML_RULES, *found_by(root, *YAML)]
    yield ["zizmor", "--offline", "--no-progress", "--quiet", ".github", "ci/github"]
    for schema, files in SCHEMAS.items():
        transform = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
        names = found_by(root, files)
        yield ["check-jsonschema", *transform, "--builtin-schema", schema, *names]


def unpinned(root: Path) -> Iterator[str]:
    """Each image and action without a digest, as a sentence with its place."""
    for name in ["Dockerfile", *found_by(root, *YAML)]:
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            used = _USED.match(line)
            if used is None or used[1] in NOT_PINNED or _BY_DIGEST.search(used[1]):
                continue
            yield f"{name}:{number}: {used[1]} is not pinned by digest; add @sha256:... (an action: its commit)."


def invalid_manifests(root: Path) -> Iterator[str]:
    """Each manifest that Kubernetes would refuse, as a sentence."""
    for name in found_by(root, "deploy/kubernetes/*.yaml"):
        if name.endswith("kustomization.yaml"):
            continue
        for manifest in yaml.safe_load_all((root / name).read_text()):
            try:
                kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: {error.message}"


def refused(root: Path, command: list[str]) -> str:
    """What a linter says against the files, empty if nothing."""
    program = PROGRAMS / command[0]
    if not program.exists():
        if command[0] in SOME_PLATFORMS:
            sys.stderr.write(f"{command[0]} has no wheel for this platform and was left out\n")
            return ""
        return f"{command[0]} is not installed; run `make .venv`."
    done = subprocess.run(
        [program, *command[1:]],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return "" if done.returncode == 0 else f"{command[0]}: {done.stdout}{done.stderr}".rstrip()


def main(root: Path = ROOT) -> int:
    """0 if nothing is wrong, else 1 with every finding on stderr."""
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda command: refused(root, command), commands(root)))
    found = [*filter(None, said), *unpinned(root), *invalid_manifests(root)]
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT))
