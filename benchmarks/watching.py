"""How watching grows with the policies: each with a folder of its own, or all with one.

A controller is started as a process, with `N` policies. Printed are the seconds from its start until every policy's
source was looked at, from a file's rename into place until the first and the last of those who read it have their
signal, and the processor's time and the wake-ups (voluntary context switches) while nothing happens.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

PATIENCE = 300.0
POLICY = """\
version: 1
model: m{number:05d}
data: {{source: "{folder}/*.parquet", target: y, features: [x], holdout: {{fraction: 20%, min_rows: 10}}}}
train: {{entrypoint: "nothing:train"}}
triggers:
  - new_data: {{rows: 1000000000}}
promote:
  - {{metric: mae, better_than: champion}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Seconds, and what a second at rest costs."""

    looked: float
    first: float
    last: float
    busy: float
    wakes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, nargs="*", default=[1, 20, 100, 200, 1000, 5000])
    parser.add_argument("--rest", type=float, default=20.0, help="seconds to be at rest")
    asked = parser.parse_args()
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    print(
        "| policies | folders | all looked at | file to first signal | to last | core at rest | wake-ups/s |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for shared in (False, True):
        for count in asked.policies:
            found = measure(count, shared=shared, rest=asked.rest)
            print(
                f"| {count:,} | {1 if shared else count:,} | {found.looked:.1f} s | {found.first:.2f} s "
                f"| {found.last:.2f} s | {found.busy:.1%} | {found.wakes:.0f} |",
                flush=True,
            )


def measure(count: int, *, shared: bool, rest: float) -> Measured:
    """One controller, from its start to its end."""
    with tempfile.TemporaryDirectory(prefix="watching-") as name:
        place = Path(name)
        folders = [_policy(place, number, shared=shared) for number in range(count)]
        content = place / "content"
        duckdb.execute(f"COPY (SELECT 1.0 AS x, 2.0 AS y) TO '{content}' (FORMAT parquet)")
        environment = {**os.environ, "INCUMBENT_HOME": str(place / "home")}
        began = time.monotonic()
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("incumbent")), "controller"],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            database = place / "home" / "incumbent.db"
            _until(database, "SELECT count(*) FROM data_sources WHERE cursor IS NOT NULL", count)
            looked = time.monotonic() - began
            time.sleep(3.0)  # the looks that follow the start of the watch
            began = time.monotonic()
            content.rename(folders[-1] / "new.parquet")
            told = "SELECT count(*) FROM signals WHERE kind = 'new_data'"
            _until(database, told, 1)
            first = time.monotonic() - began
            _until(database, told, count if shared else 1)
            last = time.monotonic() - began
            _settled(process.pid)
            busy, wakes = _at_rest(process.pid, rest)
        finally:
            process.terminate()
            process.wait(60)
    return Measured(looked=looked, first=first, last=last, busy=busy, wakes=wakes)


def _policy(place: Path, number: int, *, shared: bool) -> Path:
    folder = place / "data" / ("all" if shared else f"{number:05d}")
    folder.mkdir(parents=True, exist_ok=True)
    rules = place / "rules"
    rules.mkdir(exist_ok=True)
    (rules / f"m{number:05d}.yaml").write_text(POLICY.format(number=number, folder=folder))
    return folder


def _until(database: Path, question: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if database.exists():
            try:
                with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                    if connection.execute(question).fetchone()[0] >= count:
                        return
            except sqlite3.OperationalError:
                pass  # it has no tables yet
        time.sleep(0.02)
    raise RuntimeError(f"not so within {PATIENCE:g} s: {question}")


def _settled(pid: int) -> None:
    """Wait until two seconds pass in which little was computed, a minute at most."""
    for _ in range(30):
        if _at_rest(pid, 2.0)[0] < 0.05:
            return


def _at_rest(pid: int, seconds: float) -> tuple[float, float]:
    """The part of a core that the process used meanwhile, and its wake-ups a second."""
    process = psutil.Process(pid)
    before, woken = sum(process.cpu_times()[:2]), _switches(pid)
    time.sleep(seconds)
    busy = sum(process.cpu_times()[:2]) - before
    return busy / seconds, (_switches(pid) - woken) / seconds


def _switches(pid: int) -> int:
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue  # the thread has ended
        found += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


if __name__ == "__main__":
    main()
