"""A real MLflow server for tests, in an environment of its own: none of its packages is beside ours.

The environment is made from ``locks/mlflow.txt`` when it is first needed and kept in ``.mlflow``; where it cannot be
made (no network), the tests that need it are skipped and say so. ``INCUMBENT_TEST_MLFLOW`` names the Python of
another environment that has MLflow.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from tests.support.postgres import free_port

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".mlflow"
LOCK = ROOT / "locks" / "mlflow.txt"
START_SECONDS = 180


def mlflow_python() -> Path:
    """The Python that has MLflow; skips the test if there is none and none can be made."""
    named = os.environ.get("INCUMBENT_TEST_MLFLOW")
    if named:
        return Path(named)
    stamp = PLACE / ".ready"
    with PLACE.with_name(".mlflow.making").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.stat().st_mtime < LOCK.stat().st_mtime:
            problem = _make()
            if problem:
                pytest.skip(f"MLflow's environment cannot be made: {problem}")
            stamp.touch()
    return PLACE / "bin" / "python"


def _make() -> str:
    """As the project's own environments are made: hashes, mirrors and certificates included."""
    command = [str(ROOT / "scripts" / "set-up"), PLACE.name, sys.executable, LOCK.stem]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
        )
    except subprocess.TimeoutExpired:
        return "it took more than ten minutes"
    lines = done.stderr.strip().splitlines()
    return (lines or ["it failed without a word"])[-1] if done.returncode else ""


class MlflowServer:
    """A server on a free port of 127.0.0.1; it is ended by its recorded process id."""

    def __init__(
        self, database: str = "", workers: int = 1, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="incumbent-mlflow-"))
        self.database = database or f"sqlite:///{self.folder / 'mlflow.db'}"
        self.port = free_port()
        self._workers = workers
        self._environment = environment or {}
        self._python = mlflow_python()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        """Its address in our settings."""
        return f"mlflow://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [str(self._python), "-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", self.database]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        command += ["--workers", str(self._workers)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # its workers are ended with it
                env={
                    **os.environ,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "DO_NOT_TRACK": "true",
                    **self._environment,
                },
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                words = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"MLflow did not start: {words}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """End it and all that it started; its data stay."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def remove(self) -> None:
        """End it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, script: str, *arguments: str, **environment: str) -> str:
        """Run a script with MLflow's own client; what it printed. The script's own failure fails the test."""
        done = subprocess.run(
            [str(self._python), "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=self.folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **environment},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout
