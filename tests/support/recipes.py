"""The recipes of CONTRIBUTING.md, and a copy of the code in which they are followed word for word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_COPIED = ("controller", "workers", "scripts", "docs", "tests/unit/policy")
_BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One step of a recipe: a new file, or a change of one as a diff."""

    path: str
    text: str
    is_diff: bool

    def apply(self, root: Path) -> None:
        """Write the file, or exchange the lines that the diff shows; they must be there once."""
        target = root / self.path
        if not self.is_diff:
            assert not target.exists(), f"{self.path} is there already"
            target.write_text(self.text, encoding="utf-8")
            return
        lines = self.text.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        whole = target.read_text(encoding="utf-8")
        assert whole.count(before) == 1, f"{self.path} has these lines {whole.count(before)} times"
        target.write_text(whole.replace(before, after), encoding="utf-8")


def recipe(title: str) -> list[Block]:
    """The blocks of one section of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n### {title}\n")[2].partition("\n### ")[0]
    found = _BLOCK.findall(section)
    return [Block(path, body, language == "diff") for language, path, body in found]


@dataclass(frozen=True)
class Copy:
    """A copy of the code, which may be changed."""

    root: Path

    def run(self, *arguments: str) -> str:
        """What Python printed there; it must succeed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def changed(self) -> Iterator[str]:
        """The files that differ from ours, or are not there."""
        for path in sorted(self.root.rglob("*.py")):
            name = path.relative_to(self.root).as_posix()
            ours = ROOT / name
            if not ours.exists() or ours.read_bytes() != path.read_bytes():
                yield name


def copied(root: Path) -> Copy:
    """The code as it stands, below ``root``."""
    for name in _COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "*.png", "*.svg", "*.gif")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root / name)
    return Copy(root)
