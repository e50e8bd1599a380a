"""Starts user processes: the worker's side of :mod:`workers.zygote`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.domain.errors import Unavailable
from workers.settings import clean_environment

_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a user process ended. ``code`` is negative for a signal; memory in bytes is of its largest process."""

    code: int
    cpu_seconds: float
    peak_memory: int


class Child:
    """A running user process and its pipes. Closing it kills whatever of it is left."""

    def __init__(self, connection: socket.socket, output: int, events: int, pid: int) -> None:
        self.connection = connection
        self.output = output
        self.events = events
        self.pid = pid
        self._heard = b""

    def exit(self) -> Exit | None:
        """Read what the zygote says; call it when ``connection`` is readable. None: nothing whole yet."""
        chunk = self.connection.recv(65536)
        if not chunk:  # the zygote was killed, and its children with it
            return Exit(code=-signal.SIGKILL, cpu_seconds=0.0, peak_memory=0)
        self._heard += chunk
        if not self._heard.endswith(b"\n"):
            return None
        return Exit(**json.loads(self._heard))

    def kill(self, number: signal.Signals) -> None:
        """Signal the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        self.connection.close()
        os.close(self.output)
        os.close(self.events)


class Nursery:
    """A zygote and the address to reach it at. Start it before the worker forks its pool; any of those may use it."""

    def __init__(self, preload: tuple[str, ...] = ()) -> None:
        self._preload = preload
        self._folder: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def start(self) -> None:
        """Idempotent; returns once the zygote listens. A zygote that died is replaced."""
        if self._process and self._process.poll() is None:
            return
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="incumbent-")
        Path(self._address).unlink(
            missing_ok=True
        )  # the same address as before: the pool was forked with it
        # Threads of OpenMP that wait for each other spin by default, and two busy cores then do little else.
        environment = {"OMP_WAIT_POLICY": "PASSIVE"} | clean_environment(os.environ)
        environment |= {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.zygote", self._address, *self._preload],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + _PATIENCE
        while not Path(self._address).exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable("the process that trainings are forked from does not start.")
            time.sleep(0.005)

    @property
    def alive(self) -> bool:
        """Whether the zygote runs; only its owner can tell."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process and self._owner == os.getpid():
            if self._process.stdin:
                self._process.stdin.close()
            try:
                self._process.wait(0.5)  # it may be importing; its children die with it either way
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def launch(self, folder: Path, environment: Mapping[str, str], cwd: Path) -> Child:
        """Start the job in ``folder``; Unavailable if the zygote does not answer."""
        output, output_child = os.pipe()
        events, events_child = os.pipe()
        connection = None
        try:
            connection = self._connect()
            request = {"folder": str(folder), "env": dict(environment), "cwd": str(cwd)}
            line = json.dumps(request).encode() + b"\n"
            socket.send_fds(connection, [line[:1024]], [output_child, events_child])
            connection.sendall(line[1024:])
            pid = _read_pid(connection)
            connection.setblocking(False)
            return Child(connection, output, events, pid)
        except OSError as error:
            for end in (output, events):
                os.close(end)
            if connection:
                connection.close()
            raise Unavailable(
                f"the process that trainings are forked from does not answer: {error}."
            ) from error
        finally:
            os.close(output_child)
            os.close(events_child)

    def learn(self, modules: list[str]) -> None:
        """Tell the zygote which libraries were of use."""
        with contextlib.suppress(OSError, Unavailable), self._connect() as connection:
            connection.sendall(json.dumps({"learn": modules}).encode() + b"\n")

    @property
    def _address(self) -> str:
        return f"{self._folder}/zygote.sock"

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection


def _read_pid(connection: socket.socket) -> int:
    """Byte by byte: what follows the line is the child's end, which somebody else reads."""
    answer = b""
    while not answer.endswith(b"\n"):
        answer += (byte := connection.recv(1))
        if not byte:
            raise OSError("it closed the connection")
    return int(json.loads(answer)["pid"])
