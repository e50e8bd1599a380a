"""docker-compose.yml, without Docker: the commands of its services, on a real PostgreSQL and a real Redis.

The file is read, the addresses of its `postgres` and `redis` services are replaced by those of servers that the test
started, and its folders by temporary ones. Everything else is run as it stands there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
import yaml

from controller.adapters.celery.broker import find_server
from tests.support.postgres import PostgresServer, free_port

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("controller", "worker")
PATIENCE = 120.0

TRAINING = """
import numpy as np


class Line:
    def __init__(self, slope, start):
        self.slope, self.start = slope, start

    def predict(self, frame):
        return self.slope * frame["x"].to_numpy() + self.start


def train(run):
    frame = run.pandas()
    return Line(*np.polyfit(frame["x"], frame["y"], 1))
"""
POLICY = """\
version: 1
model: tiny
data: {source: "data/*.parquet", target: y, features: [x], holdout: {fraction: 0.2, min_rows: 10}}
train: {entrypoint: "tiny:train"}
triggers:
  - new_data: {rows: 100}
promote:
  - {metric: mae, better_than: champion}
"""


@dataclass
class Host:
    """What the containers would see, on this machine."""

    folder: Path
    postgres: str
    redis: str

    def environment(self, service: str) -> dict[str, str]:
        """The service's own environment with our addresses in the place of the containers'."""
        given = dict(SERVICES[service]["environment"])
        database = urlsplit(given["INCUMBENT_DATABASE_URL"])
        assert (database.hostname, database.port) == ("postgres", 5432)
        assert urlsplit(given["INCUMBENT_BROKER_URL"]).netloc == "redis:6379"
        given["INCUMBENT_DATABASE_URL"] = self.postgres
        given["INCUMBENT_BROKER_URL"] = self.redis
        kept = {k: v for k, v in os.environ.items() if not k.startswith("INCUMBENT_")}
        moved = {key: value.replace("/srv", str(self.folder)) for key, value in given.items()}
        return {**kept, **moved, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command inside the service's container."""
        return subprocess.run(
            words,
            env=self.environment(service),
            cwd=self.folder / "project",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @contextmanager
    def service(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service's command as a process; stopped as `docker stop` does it, by SIGTERM."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                SERVICES[name]["command"],
                env=self.environment(name),
                cwd=self.folder / "project",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]


def until(condition: Callable[[], Any], words: Callable[[], str]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, words()
        time.sleep(0.2)
    return found


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A server on a port, started with the options of the compose file."""
    program, *options = SERVICES["redis"]["command"]
    assert program == "redis-server"
    port = free_port()
    folder = tmp_path / "redis"
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [find_server(), "--port", str(port), "--dir", str(folder), *options],
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: _pings(port), (folder / "log").read_text)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def _pings(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1), redis.Redis(port=port) as client:
            return bool(client.ping())
    except (OSError, redis.RedisError):
        return False


@pytest.fixture
def host(tmp_path: Path, postgres_server: PostgresServer, redis_url: str) -> Host:
    project = tmp_path / "srv" / "project"
    (project / "rules").mkdir(parents=True)
    (project / "data").mkdir()
    (project / "tiny.py").write_text(TRAINING)
    (project / "rules" / "tiny.yaml").write_text(POLICY)
    # Empty: the first controller makes the tables.
    return Host(tmp_path / "srv", postgres_server.url(postgres_server.create()), redis_url)


def test_every_service_has_a_health_check_and_waits_for_what_it_needs():
    assert set(SERVICES) == {"postgres", "redis", *OURS}
    assert all(service["healthcheck"]["test"][0] == "CMD" for service in SERVICES.values())
    for name in OURS:
        needed = SERVICES[name]["depends_on"]
        assert needed == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }


@pytest.mark.slow
def test_the_services_commands_run_on_a_real_postgresql_and_redis(host: Host, tmp_path: Path):
    def healthy(name: str) -> bool:
        return host.run(name, *SERVICES[name]["healthcheck"]["test"][1:]).returncode == 0

    with ExitStack() as stack:
        stack.enter_context(host.service("controller"))
        until(lambda: healthy("controller"), lambda: host.log("controller"))
        assert not healthy("worker")
        stack.enter_context(host.service("worker"))
        until(lambda: healthy("worker"), lambda: host.log("worker"))

        x = [float(i * 37 % 101) for i in range(400)]
        rows = pa.table({"x": x, "y": [2 * value + i % 7 for i, value in enumerate(x)]})
        pq.write_table(rows, tmp_path / "new.parquet")
        shutil.move(tmp_path / "new.parquet", host.folder / "project" / "data" / "new.parquet")

        def champion() -> Any:
            found = host.run("controller", "incumbent", "versions", "tiny", "--json")
            known = json.loads(found.stdout) if found.returncode == 0 else []
            return next((v for v in known if v["state"] != "candidate"), None)

        version = until(
            champion,
            lambda: "".join(
                (host.run("controller", "incumbent", "status").stdout, *map(host.log, OURS))
            ),
        )
        assert version["champion"], host.run("controller", "incumbent", "explain", "tiny").stdout
        verified = host.run("controller", "incumbent", "verify", "--all")
        assert verified.returncode == 0, verified.stdout
    assert "Traceback" not in host.log("controller") + host.log("worker")
