"""Runs one function in this process and prints seconds, CPU seconds, peak memory as JSON.

Used by every tool's script, each in an interpreter of its own: standard library only.
"""

import json
import os
import resource
import sys
import time


def measured(work, repeats=1):
    best = None
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        said = work()
        found = (time.process_time() - cpu, time.perf_counter() - wall)
        best = found if best is None else min(best, found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    sys.stdout.flush()
    os.write(
        1,
        (json.dumps({"cpu": best[0], "wall": best[1], "peak": peak, "said": said}) + "\n").encode(),
    )
