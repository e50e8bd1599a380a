"""Ends a process whose parent is gone, so that a killed ``up`` leaves nobody behind.

Three ways, for three kinds of process. Whoever has something to hand back (a worker, a controller) looks once a second
whether its parent still is its parent, and then stops in order (:func:`stop_with`). Whoever has nothing to hand back
(a process of a worker's pool, a training, the broker) is killed with it (:func:`die_with`): by the kernel on Linux
(``PR_SET_PDEATHSIG``), by looking elsewhere. A program that starts others itself (git and what fetches for it) is run
to its end by :func:`run`, and all of its group are killed with us: a pipe, of which we alone hold the other end, says
that we are gone, on every system and however we ended.

It is a program too, for servers that are not ours: ``python -I -S lifeline.py PARENT PROGRAM [ARGUMENT …]``. So it
imports the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_LOOK = 1.0
"""Seconds between two looks."""
_LAST = 10.0
"""Seconds that a process has to stop in order once its parent is gone."""
_GONE = 70
"""The exit code of a process whose parent was gone before it began."""
_WITH_THE_PIPE = """\
( read -r _ < "/dev/fd/$1"; kill -9 0 ) < /dev/null > /dev/null 2>&1 &
watch=$!
shift
"$@"
code=$?
kill "$watch" 2> /dev/null
wait "$watch" 2> /dev/null
exit "$code"
"""
"""A shell that leads a group of its own: once nobody holds the pipe's other end any more, the whole group is killed."""


def stop_with(parent: int | None, number: signal.Signals = signal.SIGTERM) -> None:
    """Send ourselves ``number`` once ``parent`` is gone, and SIGKILL ten seconds later. None: nobody's end is ours.

    ConfigurationError if it is not our parent now: it has ended, or never was.
    """
    from controller.domain.errors import ConfigurationError  # noqa: PLC0415 - not there for the program

    if parent is None:
        return
    if os.getppid() != parent:
        raise ConfigurationError(
            f"INCUMBENT_PARENT names process {parent}, and this one was started by {os.getppid()}.",
            hint="Let the process that starts this one give its own id, or leave it out.",
        )

    def end() -> None:
        os.kill(os.getpid(), number)
        time.sleep(_LAST)
        os.kill(os.getpid(), signal.SIGKILL)

    # The thread holds no lock of Python's while it sleeps, so a worker may fork its pool beside it.
    _watch(parent, end)


def die_with(parent: int) -> None:
    """SIGKILL to ourselves once ``parent`` is gone; at once if it is not our parent now.

    On Linux the parent is the thread that started us: it must live as long as we may.
    """
    if not _ask_kernel():
        _watch(parent, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if os.getppid() != parent:  # it was gone before the kernel knew that we want to hear of it
        os._exit(_GONE)


def run(
    words: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, without a terminal. It and all that it started die with this process.

    Raises:
        FileNotFoundError: there is no such program on PATH.
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds; all of it was killed.
    """
    program = shutil.which(words[0], path=(environment or os.environ).get("PATH"))
    if program is None:
        raise FileNotFoundError(words[0])
    end, held = os.pipe()  # no other process that we start inherits either, unless told to
    try:
        with (
            subprocess.Popen(  # noqa: S603 - a fixed script; the words are its arguments
                ["/bin/sh", "-c", _WITH_THE_PIPE, "sh", str(end), program, *words[1:]],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(end,),
                start_new_session=True,
            ) as process
        ):
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # with the transport that hangs below it
                process.communicate()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, err)
    finally:
        os.close(end)
        os.close(held)


def command(program: Path, *arguments: str) -> list[str]:
    """The command line of ``program`` that dies with this process."""
    here = str(Path(__file__).resolve())
    return [sys.executable, "-I", "-S", here, str(os.getpid()), str(program), *arguments]


def _ask_kernel() -> bool:
    """Whether the kernel kills us with our parent."""
    if sys.platform != "linux":
        return False
    answer: int = ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return answer == 0


def _watch(parent: int, end: Callable[[], None]) -> None:
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        end()

    threading.Thread(target=look, name="lifeline", daemon=True).start()


def _become(parent: int, program: Sequence[str]) -> NoReturn:
    """Be ``program``: what the kernel was asked for outlives the exec."""
    if os.getppid() != parent:
        os._exit(_GONE)
    os.execv(program[0], list(program))  # noqa: S606 - no shell


def _stay_beside(parent: int, program: Sequence[str]) -> int:
    """Where the kernel cannot do it: start ``program``, hand SIGTERM on, and kill it once ``parent`` is gone."""
    with subprocess.Popen(program) as process:  # noqa: S603 - the command line of the caller

        def hand_on(number: int, _: object) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, hand_on)
        while process.poll() is None:
            if os.getppid() != parent:
                process.kill()
            try:
                process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                continue
        return process.returncode


def main(arguments: Sequence[str]) -> int:
    """``PARENT PROGRAM [ARGUMENT …]``; the exit code is the program's."""
    parent, program = int(arguments[0]), arguments[1:]
    if _ask_kernel():
        _become(parent, program)
    return _stay_beside(parent, program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
