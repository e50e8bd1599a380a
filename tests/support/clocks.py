"""A clock that a test sets under running processes: libfaketime, for the wall clock alone.

The monotonic clock stays the machine's, as it does when somebody sets a real one. Python's own ``time.sleep`` waits
for an absolute time, which libfaketime 0.9.10 gets wrong when it leaves the monotonic clock alone, so that processes
under it sleep by ``select``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_PLACES = ("/usr/lib", "/usr/local/lib")
_SLEEP = """\
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
"""


@dataclass(frozen=True)
class SetClock:
    """The wall clock of every process that has its ``environment``."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> SetClock:
        """One that is right; skips the test where libfaketime is missing."""
        library()
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(_SLEEP)
        clock = cls(folder)
        clock.set(0)
        return clock

    @property
    def environment(self) -> Mapping[str, str]:
        """Of processes that live by it."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "offset"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": os.pathsep.join((str(self.folder), str(ROOT))),
        }

    def set(self, seconds: int) -> None:
        """It is wrong by ``seconds`` from now on."""
        new = self.folder / "new"
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.folder / "offset")


def library() -> Path:
    """The one for programs with threads."""
    for place in _PLACES:
        for found in sorted(Path(place).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    return pytest.skip("libfaketime is not installed (Debian's package faketime)")
