"""What a deciding process holds over 100,000 decisions: memory, open files and threads must be flat.

COUNT=20000 makes it shorter. Fifty models get a signal each a round; every tenth round one gets another revision of its
policy. On SQLite. A line is printed for each tenth, then the growth from the first tenth to the end and a verdict; the
exit code is 1 where something grew.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests.support.inflow import Held, Inflow, held, machine

COUNT = int(os.environ.get("COUNT", "100000"))
MODELS = 50
MOST_GROWTH = 10.0
"""Megabytes more at the end than after the first tenth that still count as flat: what an allocator keeps."""


def main() -> None:
    """Print one table and a verdict."""
    print(machine())
    print("| decisions | MB | files | threads | a second |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        inflow = Inflow(f"sqlite:///{Path(folder) / 'x.db'}", MODELS)
        decisions, number, began = 0, 0, time.monotonic()
        seen: list[Held] = []
        while decisions < COUNT:
            decisions += inflow.round(number)
            number += 1
            if number % 10 == 0:
                inflow.enforce(inflow.models[number // 10 % MODELS], number)
            if decisions >= COUNT * (len(seen) + 1) // 10:
                now = held()
                seen.append(now)
                rate = decisions / (time.monotonic() - began)
                print(
                    f"| {decisions:,} | {now.memory:.1f} | {now.files} | {now.threads} | {rate:.0f} |",
                    flush=True,
                )
        inflow.close()
    memory, files = seen[-1].memory - seen[0].memory, seen[-1].files - seen[0].files
    threads = seen[-1].threads - seen[0].threads
    flat = memory <= MOST_GROWTH and files <= 0 and threads <= 0
    print(
        f"\ngrowth since the first tenth: {memory:+.1f} MB, {files:+d} files, {threads:+d} threads:"
        f" {'flat' if flat else 'it grows'}"
    )
    raise SystemExit(not flat)


if __name__ == "__main__":
    main()
