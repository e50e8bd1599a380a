"""How heavy the install without extras is, and how quickly a trivial command answers.

The figures of the peers are not measured again: they were taken on 2026-11-20 on two shared cores
with Python 3.11, each in an environment of its own with the defaults of its documentation.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
STARTS = 15

# Name -> (MB, packages, seconds of `--version`).
PEERS = {
    "MLflow 3.17": (850, 89, 3.0),
    "Dagster 1.13": (233, 70, 1.4),
    "Prefect 3.8": (255, 107, 1.4),
}


def install(venv: Path) -> None:
    """A fresh environment with the locked core and this project as a wheel; without pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
    subprocess.run([*pip, "--require-hashes", "-r", ROOT / "locks" / "core.txt"], check=True)
    wheels = venv / "wheels"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    subprocess.run([*pip, "--no-deps", *wheels.glob("*.whl")], check=True)


def weigh(venv: Path) -> tuple[float, int]:
    """(megabytes of the files in site-packages, number of distributions)."""
    (site,) = venv.glob("lib/python*/site-packages")
    size = sum(path.lstat().st_size for path in site.rglob("*") if not path.is_dir())
    return size / 1e6, len(list(site.glob("*.dist-info")))


def seconds_of_version(command: Path) -> tuple[float, float]:
    """Medians of (wall, processor) seconds; the first start, which compiles, does not count.

    On a busy machine the wall says how busy it is; the processor's time says what the start costs.
    """
    subprocess.run([command, "--version"], check=True, capture_output=True)
    wall, processor = [], []
    for _ in range(STARTS):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([command, "--version"], check=True, capture_output=True)
        wall.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder) / "venv"
        install(venv)
        megabytes, packages = weigh(venv)
        wall, processor = seconds_of_version(venv / "bin" / "incumbent")
    print(f"{'':<28}{'MB':>8}{'packages':>10}{'--version':>12}{'processor':>12}")
    print(
        f"{'Incumbent, no extras':<28}{megabytes:>8.0f}{packages:>10}"
        f"{wall * 1e3:>9.0f} ms{processor * 1e3:>9.0f} ms"
    )
    for name, (mb, count, peer_seconds) in PEERS.items():
        print(f"{name + ' (2026-11-20)':<28}{mb:>8}{count:>10}{peer_seconds * 1e3:>9.0f} ms")


if __name__ == "__main__":
    main()
