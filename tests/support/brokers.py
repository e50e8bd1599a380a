"""Real brokers for tests, each a server of the test's own on free ports, ended by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.adapters.celery.broker import find_server

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself; what Debian puts on PATH is a wrapper that changes the user."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answering(port: int, hello: bytes, reply: bytes) -> bool:
    """Whether a server at ``port`` answers ``hello`` with something that begins like ``reply``."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.settimeout(2)
        connection.sendall(hello)
        return connection.recv(64).startswith(reply)
    return False


@dataclass
class Server:
    """A running broker. ``kill`` is kill -9; ``start`` starts it anew on the same port and data."""

    url: str
    command: list[str]
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    tidy: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 60.0) -> None:
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + seconds
        while not self.ready():
            assert self.process.poll() is None, f"{self.command[0]} does not start"
            assert time.monotonic() < deadline, f"{self.command[0]} is not ready"
            time.sleep(0.05)

    def kill(self) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.tidy()


def valkey(folder: Path) -> Server:
    """Valkey or Redis on a TCP port, keeping what it was given."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(find_server()),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
    ]
    return Server(
        f"redis://127.0.0.1:{port}/0", command, lambda: answering(port, b"PING\r\n", b"+PONG")
    )


def rabbitmq(folder: Path) -> Server:
    """RabbitMQ as Debian packs it; skips the test where it is not installed."""
    epmd = shutil.which("epmd")
    if not RABBITMQ.exists() or epmd is None:
        pytest.skip("RabbitMQ is not installed (Debian's package rabbitmq-server)")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "enabled_plugins").write_text("[].\n")
    port, names = free_port(), free_port()
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none-env"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }

    # RabbitMQ would start it as a daemon that outlives it; ours is a child with a pid.
    quiet = subprocess.DEVNULL
    name_server = subprocess.Popen(
        [epmd, "-port", str(names), "-address", "127.0.0.1"], stdout=quiet, stderr=quiet
    )

    def tidy() -> None:
        name_server.kill()
        name_server.wait()

    return Server(
        f"amqp://guest:guest@127.0.0.1:{port}//",
        [str(RABBITMQ)],
        lambda: answering(port, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00"),
        environment,
        tidy,
    )
