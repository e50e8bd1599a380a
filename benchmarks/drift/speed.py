"""One batch of 20 columns against its reference: seconds and memory beside other tools and the bare read.

Each tool runs in a process, and where it is not ours in a virtual environment of its own, which is
made in a temporary folder and thrown away. Rounds go through all tools, so that a busy minute of
the machine hits all of them; the CPU time says what the clock on a shared machine does not.

`python -m benchmarks.drift.speed [--keep FOLDER] [--largest ROWS]`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from benchmarks.drift import data
from benchmarks.drift.report import publish, table

TOOLS = Path(__file__).parent / "tools"
ROOT = Path(__file__).parents[2]
LARGE = 10_000_000

OURS = ("bare_read", "incumbent", "scipy_numpy")
THEIRS = {
    "tfdv_statistics": ("tensorflow-data-validation==1.16.1", "dill"),
    "nannyml_univariate": ("nannyml==0.13.1", "statsmodels", "pandas<3"),
    "evidently_preset": ("evidently==0.7.23", "pandas<3"),
}
TITLES = {
    "bare_read": "bare read, DuckDB",
    "incumbent": "Incumbent: profile and compare",
    "scipy_numpy": "scipy + numpy + pandas, by hand",
    "tfdv_statistics": "TFDV 1.16.1 (the batch's side only)",
    "nannyml_univariate": "NannyML 0.13.1",
    "evidently_preset": "Evidently 0.7.23, preset",
}


def interpreter(tool: str, folder: Path) -> str | None:
    """The Python that has the tool; None if it cannot be installed here."""
    if tool in OURS:
        return sys.executable
    home = folder / "venv" / tool.partition("_")[0]
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", *THEIRS[tool]],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            print(f"{tool}: not installed: {done.stderr.decode()[-300:]}", file=sys.stderr)
            return None
    return str(python)


def run(tool: str, folder: Path, rows: int, repeats: int) -> dict[str, Any] | None:
    """One process of one tool; None where it failed."""
    python = interpreter(tool, folder)
    if python is None:
        return None
    files = [str(folder / f"{side}-{rows}.parquet") for side in ("reference", "batch")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, str(TOOLS / f"{tool}.py"), *files, str(repeats)],
        check=False,
        capture_output=True,
        env=environment,
        cwd=folder,
    )
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith('{"cpu"')]
    if not lines:
        if done.returncode:
            print(f"{tool} at {rows}: {done.stderr.decode()[-400:]}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(lines[-1])
    print(f"{tool:20} {rows:>10,} {found}", flush=True)
    return found


def measure(folder: Path, sizes: list[int]) -> dict[tuple[str, int], dict[str, Any]]:
    """The best of three rounds for the fast tools, one round for the slow ones."""
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for rows in sizes:
        for side, seed in (("reference", 0.13), ("batch", 0.57)):
            path = folder / f"{side}-{rows}.parquet"
            if not path.exists():
                data.write(path, rows, seed)
        run("incumbent", folder, rows, 1)  # the first call stores the reference's profile
        tools = [*OURS, *(THEIRS if rows < LARGE else ())]
        for number in range(3):
            for tool in tools:
                if number and tool not in ("bare_read", "incumbent"):
                    continue
                found = run(tool, folder, rows, 3 if tool in ("bare_read", "incumbent") else 1)
                known = best.get((tool, rows))
                if found and (known is None or found["cpu"] < known["cpu"]):
                    best[tool, rows] = found
    return best


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path, help="keep data and environments in this folder")
    parser.add_argument("--largest", type=int, default=LARGE)
    arguments = parser.parse_args()
    sizes = [rows for rows in (100_000, 1_000_000, LARGE) if rows <= arguments.largest]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        best = measure(folder, sizes)
    sys.argv[1:] = []  # the folder is no part of the command that is published
    rows = []
    for tool, title in TITLES.items():
        cells = [title]
        for size in sizes:
            found, bare = best.get((tool, size)), best[("bare_read", size)]
            cells += (
                [
                    f"{found['wall']:.2f} / {found['cpu']:.2f}",
                    f"{found['cpu'] / bare['cpu']:.1f}",
                    f"{found['peak']:.2f}",
                ]
                if found
                else ["–", "–", "–"]
            )
        rows.append(cells)
    header = ["tool"]
    for size in sizes:
        header += [f"{size:,} rows: wall / CPU s", "x bare", "peak GB"]
    publish(
        "speed",
        "Speed and memory",
        "20 columns: 15 numbers, 5 categories of 2 to 5,000. Nothing has drifted. Imports are not counted, opening "
        "files and engines is. The reference's profile is stored (it was made once); all others but TFDV read the "
        "reference again, as they must. Wall-clock and CPU seconds of the best run; the ratio is that of the CPU "
        f"seconds, since the machine may be busy (load average {os.getloadavg()[2]:.0f} on {os.cpu_count()} cores when "
        "this was measured). Peak is that of the process, its imports included.\n\n"
        + table(header, rows),
    )


if __name__ == "__main__":
    main()
