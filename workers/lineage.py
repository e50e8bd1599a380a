"""Where a result came from: code, packages, platform, data, limits. Recorded with every run without being asked."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from controller import __version__, lifeline


def packages() -> Mapping[str, str]:
    """Name and version of everything installed; read again when a folder of packages has changed."""
    folders = tuple(
        (path, Path(path).stat().st_mtime_ns) for path in sys.path if Path(path).is_dir()
    )
    return _packages(folders)


@lru_cache(maxsize=1)
def _packages(folders: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    del folders
    found = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
    return dict(sorted(found.items()))


def platform_facts() -> dict[str, Any]:
    """The machine and the interpreter."""
    return {
        "incumbent": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "system": platform.platform(),
        "machine": platform.machine(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
    }


def code_facts(root: Path) -> dict[str, Any]:
    """The commit of the code folder and whether the working tree differs from it. Empty facts where git knows none."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"root": str(root), "commit": None, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal")
    return {
        "root": str(root),
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
    }


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = lifeline.run(
            ["git", "-C", str(root), *arguments],
            timeout=10,
            environment=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
