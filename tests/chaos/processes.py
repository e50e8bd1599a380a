"""Processes of ours that somebody kills, and the one who starts them again, as systemd or Kubernetes would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_RESTART = 0.3
"""Seconds between the end of a process and its next start."""


@dataclass(eq=False)
class Kept:
    """A program that should run, started again whenever it ends."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    process: psutil.Popen | None = None
    starts: int = 0
    refused: int = 0
    """Ends by itself, with an exit code that is no signal."""

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = psutil.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def family(self) -> list[psutil.Process]:
        """The process and all below it, itself first."""
        if not self.alive or self.process is None:
            return []
        with contextlib.suppress(psutil.Error):
            return [psutil.Process(self.process.pid), *self.process.children(recursive=True)]
        return []


@dataclass
class Keeper:
    """Starts again what ended, and knows every process that was ever left behind by a parent's death."""

    kept: list[Kept] = field(default_factory=list)
    strays: list[psutil.Process] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        for one in self.kept:
            one.start()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def stop(self, grace: float = 30.0) -> None:
        """SIGTERM to all, SIGKILL to what does not heed it, and to strays."""
        self._stopping.set()
        self._thread.join(5)
        families = [member for one in self.kept for member in one.family()]
        for one in self.kept:
            if one.alive and one.process is not None:
                with contextlib.suppress(psutil.Error):
                    one.process.send_signal(signal.SIGCONT)
                    one.process.terminate()
        deadline = time.monotonic() + grace
        for one in self.kept:
            if one.process is not None:
                with contextlib.suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
                    one.process.wait(max(0.1, deadline - time.monotonic()))
        end([*families, *self.strays])

    def _keep(self) -> None:
        ended: dict[str, float] = {}
        while not self._stopping.wait(0.05):
            for one in self.kept:
                if one.alive:
                    ended.pop(one.name, None)
                    continue
                if one.name not in ended and one.process is not None:
                    ended[one.name] = time.monotonic()
                    one.refused += (one.process.poll() or 0) >= 0
                if time.monotonic() - ended.get(one.name, 0.0) >= _RESTART:
                    one.start()


def end(processes: Sequence[psutil.Process]) -> int:
    """kill -9; how many still lived. A process is told by its pid and its birth, so no stranger is hit."""
    count = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                count += 1
    return count


def living(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    there = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                there.append(process)
    return there


def freeze(processes: Sequence[psutil.Process], seconds: float) -> None:
    """SIGSTOP, and SIGCONT after ``seconds``."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.suspend()
    time.sleep(seconds)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.resume()


def environment(**ours: str) -> dict[str, str]:
    """Our environment without settings of whoever started the test, and with ``ours``."""
    base = {k: v for k, v in os.environ.items() if not k.startswith(("INCUMBENT_", "COVERAGE"))}
    return base | ours
