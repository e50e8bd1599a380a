"""Packages with plugins: the example, installed as anybody would, and made ones of every kind of mistake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


def install_example(target: Path) -> Path:
    """The example in a folder of its own, from its sources and without the network."""
    source = target.with_name("source")
    shutil.copytree(EXAMPLE, source)
    command = ["uv", "pip", "install", "-q", "--offline", "--no-deps", "--no-build-isolation"]
    run = [*command, "--python", sys.executable, "--target", str(target), str(source)]
    subprocess.run([str(Path(sys.executable).parent / run[0]), *run[1:]], check=True)
    return target


def package(
    folder: Path, name: str, entry_points: str, declaration: str | None, code: str = ""
) -> None:
    """An installed package: its metadata, its module of the same name, and its declaration unless it is None."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    module = folder / name
    module.mkdir()
    (module / "__init__.py").write_text(code)
    files = [f"{name}/__init__.py,,"]
    if declaration is not None:
        (module / "incumbent-plugin.toml").write_text(declaration)
        files.append(f"{name}/incumbent-plugin.toml,,")
    (info / "RECORD").write_text("\n".join(files) + "\n")
