"""Keeps a child process of ours alive, and ends it by its pid, never by its name.

The child is told who its parent is (``INCUMBENT_PARENT``) and stops by itself when that is gone: kill -9 of us leaves
nobody behind.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

log = logging.getLogger(__name__)

_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds before each restart in a row; the last one repeats."""
_STEADY = 30.0
"""Seconds of life after which a child counts as healthy and the pauses begin anew."""


class Supervised:
    """One child in a session of its own, so that Ctrl-C is ours to hand on.

    `output`: the file that its stdout and stderr are added to; None: they are ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        grace: float,
        *,
        output: Path | None = None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._command = list(command)
        self._environment = {**environment, "INCUMBENT_PARENT": str(os.getpid())}
        self._grace = grace
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._launching = threading.Lock()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep, name=f"supervise-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The child's pid, None while it is down."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start the child and watch over it."""
        self._launch()
        self._watch.start()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL to the whole session when the grace is over."""
        with self._launching:  # from here on none is born
            self._stopping.set()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(self._grace)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._watch.join(5.0)

    def _launch(self) -> None:
        with self._launching, ExitStack() as stack:
            if self._stopping.is_set():
                return
            log = stack.enter_context(self._output.open("ab")) if self._output else None
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            born = time.monotonic()
            if self._process is not None:
                self._process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - born > _STEADY else failures + 1
            if self._stopping.wait(_PAUSES[min(failures, len(_PAUSES)) - 1]):
                return
            self.restarts += 1
            try:
                self._launch()
            except OSError as error:  # no process or no memory to be had now
                log.warning("%s does not start: %s", self.name, error, extra={"action": "start"})
