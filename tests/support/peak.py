"""The most memory that a process held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Megabytes that this process held at its peak, by itself.

    Not by getrusage on Linux: there a program that was just started counts the peak of who started it as its own, so
    that the answer would be the size of all tests before this one.
    """
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
