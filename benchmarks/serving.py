"""Our server as benchmarks start it: without logins and without a limit of requests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class Serving:
    """Our server as a process of its own."""

    def __init__(self, url: str, home: Path, **settings: str) -> None:
        environment = {
            **os.environ,
            "INCUMBENT_LOGIN": "none",
            "INCUMBENT_API_RATE": "1000000",
            "INCUMBENT_DATABASE_URL": url,
            **{f"INCUMBENT_{name.upper()}": value for name, value in settings.items()},
        }
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("incumbent")), "api", "--home", str(home), "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = next(line for line in self._process.stdout if "http://" in line)
        self.pid = self._process.pid
        self.port = int(line.split("127.0.0.1:")[1].split("/")[0])

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
