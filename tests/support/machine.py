"""What only some machines have: asked for here, and where it is missing the test is skipped and says so."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def need_program(name: str, package: str) -> None:
    """Skips the test where `name` is not on PATH; `package` is what to install."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not here: install {package}")


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    """`folder` (it may be missing) as a file system of that size, which is soon full."""
    need_program("mount", "mount")
    need_program("umount", "mount")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small file system is not permitted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
