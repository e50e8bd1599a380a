from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_carries_every_file_of_both_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
        (entry_points,) = (name for name in carried if name.endswith("entry_points.txt"))
        commands = archive.read(entry_points).decode()

    # Migrations, templates, schemas and the markers of typing are files like any other.
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--", "controller", "workers"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {name for name in known if (ROOT / name).exists()}
    assert {"controller/py.typed", "workers/py.typed", "controller/__init__.py"} <= wanted
    assert wanted - carried == set()
    assert any(name.endswith("licenses/LICENSE") for name in carried)
    assert "incumbent = controller.entrypoints.cli.main:main" in commands
    top = {name.split("/")[0] for name in carried if ".dist-info" not in name}
    assert top == {"controller", "workers"}
