"""Real servers of Google Cloud Storage's and Azure Blob Storage's interfaces, in an environment of their own.

The environment is made from ``locks/clouds.txt`` (and ``locks/azurite``, for which a wheel brings Node) when it is
first needed and kept in ``.clouds``; where it cannot be made (no network), the tests that need it are skipped and say
so.
Google publishes no emulator; ``gcp-storage-emulator`` is what the libraries' users take, Azurite is Microsoft's own.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.postgres import free_port

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".clouds"
AZURITE = PLACE / "azurite"
START_SECONDS = 60
ACCOUNT = "incumbenttests"


@dataclass(frozen=True, kw_only=True)
class CloudServer:
    """A server that runs: its address, the variables by which a driver finds it, and the secret among these."""

    url: str
    variables: dict[str, str]
    secret: str = ""


@contextmanager
def google() -> Iterator[CloudServer]:
    """A server that speaks Google Cloud Storage's JSON interface. It asks for no credentials."""
    python = _environment()
    port = free_port()

    def command(folder: Path) -> list[str]:
        where = ["start", "--host", "127.0.0.1", "--port", str(port)]
        return [str(python), "-m", "gcp_storage_emulator", "-d", str(folder), *where]

    with _running(command, port):
        url = f"http://127.0.0.1:{port}"
        variables = {
            "STORAGE_EMULATOR_HOST": url,
            "NO_GCE_CHECK": "true",
        }
        yield CloudServer(url=url, variables=variables)


@contextmanager
def azure() -> Iterator[CloudServer]:
    """Azurite, with an account of a key that nobody knows; it checks every signature."""
    node = _environment().with_name("node")
    program = _azurite(node)
    port = free_port()
    key = base64.b64encode(secrets.token_bytes(64)).decode()

    def command(folder: Path) -> list[str]:
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
        # The client of a newer version asks for a newer interface than the server knows by name.
        return [str(node), str(program), *where, "--disableTelemetry", "--skipApiVersionCheck"]

    with _running(command, port, AZURITE_ACCOUNTS=f"{ACCOUNT}:{key}"):
        url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield CloudServer(
            url=url,
            variables={"AZURE_STORAGE_CONNECTION_STRING": connection_string(url, key)},
            secret=key,
        )


def connection_string(url: str, key: str) -> str:
    """Azure's words for an account at an address."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={url};"
    )


def _environment() -> Path:
    """The Python of the environment; skips the test if none can be made."""
    lock = ROOT / "locks" / "clouds.txt"
    command = [str(ROOT / "scripts" / "set-up"), PLACE.name, sys.executable, lock.stem]
    _once(PLACE / ".ready", lock, lambda: _run(command, ROOT))
    return PLACE / "bin" / "python"


def _azurite(node: Path) -> Path:
    """Azurite's program; skips the test if it cannot be installed."""
    lock = ROOT / "locks" / "azurite" / "package-lock.json"

    def make() -> str:
        AZURITE.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock.with_name(name), AZURITE / name)
        npm = [str(node.with_name("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        return _run(npm, AZURITE)

    _once(AZURITE / ".ready", lock, make)
    return AZURITE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def _once(stamp: Path, lock: Path, make: Callable[[], str]) -> None:
    with PLACE.with_name(".clouds.making").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
            problem = make()
            if problem:
                pytest.skip(f"the environment of the clouds' servers cannot be made: {problem}")
            stamp.touch()


def _run(command: Sequence[str], folder: Path) -> str:
    """What went wrong, in one line; nothing if nothing did."""
    path = f"{PLACE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it took more than ten minutes"
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines() or ["it failed without a word"]
    return next((line for line in lines if line.startswith("npm error")), lines[-1])


@contextmanager
def _running(command: Callable[[Path], list[str]], port: int, **variables: str) -> Iterator[None]:
    """Run a server in a folder of its own until the block ends; it is ended by its recorded process id."""
    folder = Path(tempfile.mkdtemp(prefix="incumbent-cloud-"))
    data = folder / "data"
    data.mkdir()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command(data), stdout=log, stderr=log, cwd=folder, env={**os.environ, **variables},
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                words = (folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the server did not start: {words}")
            time.sleep(0.05)
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[CloudServer]:
    """Google's interface, and the variables that lead there."""
    with google() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.variables.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def azure_server() -> Iterator[CloudServer]:
    """Azure's interface, and the variables that lead there."""
    with azure() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.variables.items():
            patch.setenv(name, value)
        yield server


def make_bucket(url: str) -> None:
    """Make the bucket or container of ``url``, as its owner does; the product makes none."""
    from controller.adapters.clouds import open_url

    system, path = open_url(url, "tests at")
    system.mkdir(path.partition("/")[0])
