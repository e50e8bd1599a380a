"""From a file's arrival to the first line of the user's training function, with `incumbent up`, warm.

Also the seconds until `up` is ready and the memory of its whole tree. Figures of peers are those that were measured on
2026-11-20 on two shared cores with Python 3.11 (a file or an event to the training function's first line): Dagster's
sensor with its defaults 25.9 s (n = 8), with an interval of 1 s 10.3 s (n = 10), Prefect 5.9 to 8.5 s (n = 8),
watchfiles with Celery and Redis by hand, without database and rules, 0.08 s (n = 20).
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from controller.adapters.clock import SystemClock
from controller.adapters.sql.store import SqlStore
from controller.ports import Query

FILES = int(os.environ.get("FILES", "30"))
PATIENCE = 120.0

POLICY = """\
version: 1
model: arrival
data: {source: "data/*.parquet", target: y, features: [x], holdout: {fraction: 20%, min_rows: 10}}
train: {entrypoint: "arrival_model:train"}
triggers:
  - new_data: {rows: 1}
promote:
  - {metric: mae, better_than: champion}
"""

MODEL = """\
import time

def train(run):
    with open("first-line", "a") as told:
        told.write(f"{time.time()}\\n")
    return Mean()

class Mean:
    def predict(self, frame):
        return [0.0] * len(frame)
"""


def main() -> int:
    """Runs it and prints one table."""
    with tempfile.TemporaryDirectory(prefix="arrival-") as folder:
        place = Path(folder)
        (place / "rules").mkdir()
        (place / "data").mkdir()
        (place / "rules" / "arrival.yaml").write_text(POLICY)
        (place / "arrival_model.py").write_text(MODEL)
        began = time.monotonic()
        environment = {**os.environ, "INCUMBENT_HOME": str(place / "home"), "PYTHONPATH": folder}
        up = subprocess.Popen(
            [str(Path(sys.executable).with_name("incumbent")), "up"],
            cwd=place,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            ready = _ready(up, began)
            seconds = [_one(place, number) for number in range(FILES + 2)][2:]
            memory = _memory(up.pid)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)
    _print(seconds, ready, memory)
    return 0


def _ready(up: subprocess.Popen[str], began: float) -> float:
    assert up.stderr is not None
    for line in up.stderr:
        if "is up" in line:
            return time.monotonic() - began
    raise RuntimeError("incumbent up did not start")


def _one(place: Path, number: int) -> float:
    rng = np.random.default_rng(number)
    partial = place / f".{number}.tmp"
    pq.write_table(pa.table({"x": rng.normal(size=200), "y": rng.normal(size=200)}), partial)
    told = place / "first-line"
    before = len(told.read_text().splitlines()) if told.exists() else 0
    partial.rename(place / "data" / f"{number:03d}.parquet")
    arrived = time.time()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = told.read_text().splitlines() if told.exists() else []
        if len(lines) > before:
            _rest(place)
            return float(lines[-1]) - arrived
        time.sleep(0.002)
    raise RuntimeError(f"file {number} caused no training within {PATIENCE:g} s")


def _rest(place: Path) -> None:
    """Wait until evaluation and decision are over, so that the next file meets an idle system."""
    store = SqlStore(f"sqlite:///{place / 'home' / 'incumbent.db'}", SystemClock())
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            with store.read() as tx:
                busy = tx.runs.find(Query(states=("queued", "running")))
                if not busy and not tx.signals.count_waiting():
                    return
            time.sleep(0.02)
    finally:
        store.close()
    raise RuntimeError("the system did not come to rest")


def _memory(pid: int) -> tuple[float, int]:
    """Proportional resident memory of the tree in MB (shared pages are counted once), and its processes."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(p.memory_full_info().pss for p in tree) / 1e6, len(tree)


def _print(seconds: list[float], ready: float, memory: tuple[float, int]) -> None:
    ranked = sorted(seconds)
    p99 = ranked[min(len(ranked) - 1, round(0.99 * (len(ranked) - 1)))]
    print(
        f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    print("| file to first line | p50 | p99 | n |\n|---|---|---|---|")
    print(
        f"| incumbent up, warm | {statistics.median(seconds):.3f} s | {p99:.3f} s | {len(seconds)} |"
    )
    print("| Dagster sensor, defaults | 25.9 s | | 8 |")
    print("| Dagster sensor, 1 s | 10.3 s | | 10 |")
    print("| Prefect, serve / process worker | 5.9 / 8.5 s | | 8 |")
    print("| watchfiles + Celery + Redis by hand | 0.08 s | 0.19 s | 20 |")
    print(
        f"\nready after {ready:.1f} s; {memory[1]} processes with {memory[0]:.0f} MB (proportional)"
    )


if __name__ == "__main__":
    sys.exit(main())
