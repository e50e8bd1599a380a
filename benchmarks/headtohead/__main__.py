"""The same script of failures against three ways to let an event start a training: what is lost, what is doubled.

`python -m benchmarks.headtohead`. ClearML's TriggerScheduler is the released class, from a virtual environment that
this makes, over a server of files; the Celery task is a plain one with `acks_late`, on a real Valkey; ours is the
real controller and worker, on the same kind of Valkey. An event is lost if no training that it caused has ended, and
doubled if more than one result of it counts.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.headtohead import celery_side, clearml_side, our_side
from benchmarks.headtohead.events import EVENTS, Count

SCRIPT = {
    "launch fails once": "the first attempt to launch each training fails",
    "killed between marking and launching": "kill -9 of the trigger's process between its two steps, twice",
    "broker loses its messages": "FLUSHALL before a worker has taken them",
    "outlives the visibility timeout": "trainings of 12 s, a visibility timeout of 3 s instead of an hour",
    "restart with triggers in flight": "kill -9, events, start again",
    "the same, of a scheduler that runs locally": "a mode of ClearML's",
}


def main() -> int:
    """Runs every contestant; prints one table."""
    sides = {
        "ClearML TriggerScheduler": _clearml,
        "Celery task, acks_late": celery_side.run,
        "Incumbent": our_side.run,
    }
    counts: dict[str, dict[str, Count]] = {}
    for name, run in sides.items():
        with tempfile.TemporaryDirectory(
            prefix="headtohead-", ignore_cleanup_errors=True
        ) as folder:
            Path(folder).chmod(0o755)
            print(f"{name} ...", file=sys.stderr, flush=True)
            counts[name] = run(Path(folder))
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {EVENTS} events a row;"
        " each cell: lost / doubled\n"
    )
    print("| failure | " + " | ".join(sides) + " |\n|---|" + "---|" * len(sides))
    for failure, what in SCRIPT.items():
        cells = [_cell(counts[name].get(failure)) for name in sides]
        print(f"| {failure}: {what} | " + " | ".join(cells) + " |")
    print("| **sum** | " + " | ".join(_cell(_sum(counts[name])) for name in sides) + " |")
    ours = _sum(counts["Incumbent"])
    return 1 if ours.lost or ours.doubled else 0


def _cell(count: Count | None) -> str:
    return "not applicable" if count is None else f"{count.lost} / {count.doubled}"


def _sum(counts: dict[str, Count]) -> Count:
    return Count(sum(c.lost for c in counts.values()), sum(c.doubled for c in counts.values()))


def _clearml(folder: Path) -> dict[str, Count]:
    """In an environment of its own: its requirements are not ours."""
    python = folder / "venv" / "bin" / "python"
    given = os.environ.get("CLEARML_PYTHON")
    if given:
        python = Path(given)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "clearml==2.1.12"], check=True)
    return clearml_side.run(folder, python)


if __name__ == "__main__":
    sys.exit(main())
