"""BCa with 10,000 resamples of the difference of two MAEs, against `scipy.stats.bootstrap`.

Each measurement runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.gates import report
from controller.domain.rules import Comparison
from controller.evidence.compare import Options, Question, compare_models

SEED = 23
QUESTION = Question(metric="mae", comparison=Comparison.BETTER_THAN)
SCIPY_BATCH = 100
"""Without it scipy wants 80 GB for the jackknife of 1e5 rows."""


def data(rows: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(SEED)
    y = rng.gamma(2.0, 10.0, rows)
    return y, y + rng.laplace(0.0, 9.9, rows), y + rng.laplace(0.0, 10.0, rows)


def ours(rows: int, resamples: int, test: str) -> dict[str, Any]:
    y, new, old = data(rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    found = compare_models(
        y, new, old, QUESTION, Options(test=test, seed=SEED, resamples=resamples, confidence=0.975)
    )
    taken = time.perf_counter() - begun
    return _result(before, taken, found.interval_low, found.interval_high)


def scipy(rows: int, resamples: int, method: str) -> dict[str, Any]:
    y, new, old = data(rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    difference = np.abs(y - new) - np.abs(y - old)
    found = stats.bootstrap(
        (difference,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, min(SCIPY_BATCH, 10_000_000 // rows)),
        method=method,
        rng=np.random.default_rng(SEED),
    )
    taken = time.perf_counter() - begun
    interval = found.confidence_interval
    return _result(before, taken, float(interval.low), float(interval.high))


def _result(before: int, taken: float, low: float | None, high: float | None) -> dict[str, Any]:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": taken, "mib": (after - before) / 1024, "low": low, "high": high}


def measure(who: str, rows: int, resamples: int, how: str) -> dict[str, Any]:
    """One measurement in a fresh process, on one thread of BLAS."""
    command = [sys.executable, "-m", "benchmarks.gates.speed", who, str(rows), str(resamples), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def line(name: str, rows: int, resamples: int, found: dict[str, Any], note: str = "") -> list[str]:
    interval = f"[{found['low']:.5f}, {found['high']:.5f}]" if found["low"] is not None else ""
    seconds = f"{found['seconds']:.2f}{note}"
    return [name, f"{rows:,}", f"{resamples:,}", seconds, f"{found['mib']:,.0f}", interval]


def main() -> None:
    lines = []
    for rows in (1_000, 10_000, 100_000):
        mine = measure("ours", rows, 10_000, "bootstrap")
        theirs = measure("scipy", rows, 10_000, "BCa")
        ratio = theirs["seconds"] / mine["seconds"]
        lines.append(line("Incumbent, BCa", rows, 10_000, mine))
        lines.append(line("scipy, BCa", rows, 10_000, theirs, f" ({ratio:.0f} ×)"))
    for resamples in (1_000, 100_000):
        found = measure("ours", 100_000, resamples, "bootstrap")
        lines.append(line("Incumbent, BCa", 100_000, resamples, found))
    big = 10_000_000
    lines.append(line("Incumbent, normal (its choice)", big, 0, measure("ours", big, 1, "normal")))
    lines.append(line("Incumbent, BCa", big, 10_000, measure("ours", big, 10_000, "bootstrap")))
    few = measure("scipy", big, 10, "percentile")
    lines.append(line("scipy, percentile", big, 10, few))
    text = (
        "The two-sided 95 % interval of a difference of two MAEs, the best of one run each, in "
        "processes of their own; MiB is what the peak memory grew by beyond the data. In brackets: "
        f"how often our time goes into scipy's. scipy works in batches of {SCIPY_BATCH} (of 1 at 1e7 "
        "rows): as it comes, its jackknife of 1e5 rows asks for 80 GB. At 1e7 rows that jackknife "
        "would take 1e14 steps, so scipy is shown with 10 resamples of the percentile method; "
        f"10,000 would take {few['seconds'] * 1000 / 3600:.1f} hours at that pace. The intervals "
        "differ by Monte-Carlo error; the normal one is what `compare` chooses from 1e6 rows on."
    )
    header = ["method", "rows", "resamples", "seconds", "MiB", "interval"]
    report.publish("speed", "Speed and memory", f"{text}\n\n{report.table(header, lines)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run = {"ours": ours, "scipy": scipy}[sys.argv[1]]
        print(json.dumps(run(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
    else:
        main()
