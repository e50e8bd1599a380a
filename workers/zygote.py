"""The process that user processes are forked from: it has imported the heavy libraries and nothing of the user's.

Importing numpy, pandas, pyarrow and scikit-learn takes seconds; forking a process that has done it takes
milliseconds. It learns what to import: each child says which of the libraries known to survive a fork it used.
Every request is one connection on a Unix socket: the job's folder and environment, and the pipes for its output. The
answers are its pid and, when it has ended, how. The child leads a session of its own, so that all of what it starts
can be signalled at once. Nobody outlives his owner: a connection that closes kills its child's group, and the end of
the worker (end of file on standard input) kills all of them.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from controller.lifeline import die_with
from workers.preload import may_be_learned

_LINE = 1 << 20


@dataclass(slots=True)
class _Connection:
    """One request and the child that it led to."""

    socket: socket.socket
    pid: int | None = None


class Zygote:
    """The server. One thread, no locks: whatever holds one while forking would hold it in the child for ever."""

    def __init__(self, listener: socket.socket, lifeline: int) -> None:
        self._listener = listener
        self._lifeline = lifeline
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Connection] = {}

    def serve(self) -> None:
        """Until the lifeline closes."""
        alarm, wakeup = os.pipe()
        for end in (alarm, wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._listener, selectors.EVENT_READ, "accept")
        self._selector.register(self._lifeline, selectors.EVENT_READ, "lifeline")
        self._selector.register(alarm, selectors.EVENT_READ, "children")
        while True:
            for key, _ in self._selector.select():
                if key.data == "lifeline":
                    return
                if key.data == "accept":
                    connection = _Connection(self._listener.accept()[0])
                    self._selector.register(connection.socket, selectors.EVENT_READ, connection)
                elif key.data == "children":
                    with contextlib.suppress(BlockingIOError):
                        os.read(alarm, 4096)
                    self._reap()
                else:
                    self._hear(key.data)

    def end(self) -> None:
        """Kill every child's group."""
        for pid in self._children:
            _kill_group(pid)

    def learn(self, modules: list[str]) -> None:
        """Import these now, if they are known to survive a fork: the next child would spend the same time on it."""
        new = [name for name in may_be_learned(modules) if name not in sys.modules]
        for name in new:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        if new:
            gc.collect()
            gc.freeze()  # children do not touch, and so do not copy, what was here before them

    def _hear(self, connection: _Connection) -> None:
        try:
            line, descriptors = _receive(connection.socket)
        except OSError:
            line, descriptors = b"", []
        if not line or connection.pid:  # closed; or a second request, which nobody sends
            self._forget(connection)
            for descriptor in descriptors:
                os.close(descriptor)
            return
        request = json.loads(line)
        if "learn" in request:
            self.learn(request["learn"])
            return
        pid = os.fork()
        if pid == 0:
            self._become(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.pid = pid
        self._children[pid] = connection
        _answer(connection.socket, {"pid": pid})

    def _forget(self, connection: _Connection) -> None:
        """The owner is gone: so is his child."""
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection.pid in self._children:
            _kill_group(connection.pid)

    def _reap(self) -> None:
        for pid, connection in list(self._children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(pid)  # while it is not reaped its group's number belongs to nobody else
            _, status, usage = os.wait4(pid, 0)
            del self._children[pid]
            per_unit = 1 if sys.platform == "darwin" else 1024
            answer = {
                "code": os.waitstatus_to_exitcode(status),
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_memory": usage.ru_maxrss * per_unit,
            }
            _answer(connection.socket, answer)

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
        """The child: a session of its own, its own pipes, and nothing else of ours."""
        code = 70
        try:
            _detach(descriptors)
            os.environ.clear()
            os.environ.update(request["env"])
            os.environ["INCUMBENT_EVENTS_FD"] = "3"
            os.chdir(request["cwd"])
            from workers import child

            code = child.main(Path(request["folder"]))
        except BaseException:  # noqa: BLE001 - whatever it is must end here, not in the server's loop
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _detach(descriptors: list[int]) -> None:
    parent = os.getppid()
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    output, events = (os.dup2(fd, 60 + n) for n, fd in enumerate(descriptors))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(events, 3, inheritable=False)
    os.closerange(4, 1024)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    die_with(parent)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """One line and the descriptors that came with it."""
    descriptors = array.array("i")
    chunk, ancillary, _, _ = connection.recvmsg(_LINE, socket.CMSG_SPACE(2 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    line = chunk
    while chunk and not line.endswith(b"\n"):
        chunk = connection.recv(_LINE)
        line += chunk
    return line, list(descriptors)


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")


def main(arguments: list[str]) -> NoReturn:
    """``python -m workers.zygote SOCKET [MODULE …]``; standard input is the lifeline."""
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the worker ends us by closing the lifeline
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unready = Path(arguments[0] + ".new")
    listener.bind(str(unready))
    listener.listen(64)
    unready.rename(arguments[0])  # who sees the name can connect
    from workers import child, jobs

    del child  # imported so that each fork has it, and the next line for the same reason
    jobs.warm()

    zygote = Zygote(listener, sys.stdin.fileno())
    zygote.learn(arguments[1:])
    try:
        zygote.serve()
    finally:
        zygote.end()
        with contextlib.suppress(OSError):  # also when the worker was killed and could not tidy up
            Path(arguments[0]).unlink(missing_ok=True)
            Path(arguments[0]).parent.rmdir()
    os._exit(0)  # nothing of the libraries needs to be tidied up, and doing so takes seconds


if __name__ == "__main__":
    main(sys.argv[1:])
