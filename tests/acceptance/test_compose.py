"""docker-compose.yml, without Docker: the commands of its services, on a real PostgreSQL, Redis and S3.

The file is read, the addresses of its servers are replaced by those of servers that the test started (moto speaks S3),
its folders by temporary ones, and both controllers get a port of their own. Everything else is run as it stands there.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import s3fs
import yaml

from controller.adapters.celery.broker import find_server
from tests.support.data_places import s3_server  # noqa: F401 - a fixture
from tests.support.postgres import PostgresServer, free_port
from tests.support.tiny import deliver, lay_out
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SERVERS = ("postgres", "redis", "storage")
OURS = ("controller", "api", "worker")
ONCE = "roles"
PATIENCE = 120.0


@dataclass(frozen=True)
class Host:
    """What the containers would see, on this machine."""

    folder: Path
    postgres: str
    redis: str
    storage: str

    def environment(self, container: str) -> dict[str, str]:
        """The service's own environment with our addresses in the place of the containers'."""
        given = {
            key: _filled(value)
            for key, value in SERVICES[_service(container)]["environment"].items()
        }
        database = urlsplit(given["INCUMBENT_DATABASE_URL"])
        assert (database.hostname, database.port) == ("postgres", 5432)
        assert urlsplit(given["INCUMBENT_BROKER_URL"]).netloc == "redis:6379"
        assert given["AWS_ENDPOINT_URL"] == "http://storage:8333"
        given |= {
            "INCUMBENT_DATABASE_URL": f"postgresql://{database.username}@{self.postgres.split('@', 1)[1]}",
            "INCUMBENT_BROKER_URL": self.redis,
            "AWS_ENDPOINT_URL": self.storage,
        }
        for name in ("INCUMBENT_PORT", "INCUMBENT_OBSERVE_PORT"):
            if name in given:
                given[name] = str(self.port(container))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INCUMBENT_", "AWS_"))}
        moved = {
            key: value.replace("/srv/project", f"{self.folder}/project")
            for key, value in given.items()
        }
        return (
            kept
            | moved
            | {
                "INCUMBENT_HOME": str(self.folder / container),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            }
        )

    @cache  # noqa: B019 - lives as long as the test
    def port(self, container: str) -> int:
        return free_port()

    def run(self, container: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command inside the container."""
        return subprocess.run(
            words,
            env=self.environment(container),
            cwd=self.folder / "project",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def healthy(self, container: str) -> bool:
        """What the service's own health check says."""
        check = SERVICES[_service(container)]["healthcheck"]["test"]
        return self.run(container, *check[1:]).returncode == 0

    def ask(self, container: str, *words: str) -> Any:
        """What a reading command answers; None if it cannot."""
        found = self.run(container, "incumbent", *words, "--json")
        return json.loads(found.stdout) if found.returncode == 0 else None

    @contextmanager
    def container(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service's command as a process; stopped as `docker stop` does it, by SIGTERM."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                SERVICES[_service(name)]["command"],
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


def _service(container: str) -> str:
    """`controller-2` is the second container of `controller`."""
    return container.partition("-")[0]


def _filled(value: str) -> str:
    """The value with what `.env` would give."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: f"a-{found[1].lower()}-{'0' * 16}", value)


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
        until(lambda: _pings(port), PATIENCE, words=(folder / "log").read_text)
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
def host(tmp_path: Path, postgres_server: PostgresServer, redis_url: str, s3_server: str) -> Host:  # noqa: F811
    project = tmp_path / "srv" / "project"
    lay_out(project, "new_data: {rows: 100}")
    # Empty: the first controller makes the tables, the first artifact the bucket.
    database = postgres_server.url(postgres_server.create())
    return Host(tmp_path / "srv", database, redis_url, s3_server)


def test_every_service_has_a_health_check_and_waits_for_what_it_needs():
    assert set(SERVICES) == {*SERVERS, *OURS, ONCE}
    checks = [service["healthcheck"]["test"] for name, service in SERVICES.items() if name != ONCE]
    assert all(check[0] == "CMD" for check in checks)
    assert SERVICES[ONCE]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in OURS:
        needed = SERVICES[name]["depends_on"]
        made = {ONCE: {"condition": "service_completed_successfully"}}
        assert needed == made | {server: {"condition": "service_healthy"} for server in SERVERS}


def test_each_process_logs_in_as_a_role_of_its_own_and_a_worker_holds_no_key():
    for name in OURS:
        url = _filled(SERVICES[name]["environment"]["INCUMBENT_DATABASE_URL"])
        assert urlsplit(url).username == f"incumbent_{name}"
    held = {name: {key for key in SERVICES[name]["environment"] if "KEY" in key} for name in OURS}
    assert held["worker"] == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert "INCUMBENT_SIGNING_KEY" in held["controller"] & held["api"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_and_write_nowhere_but_into_their_own_folders(name: str):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    written = [place.split(":")[0] for place in service["tmpfs"]]
    written += [volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")]
    assert sorted(written) == ["/srv/home", "/tmp"]


def test_no_password_stands_in_the_file_and_only_this_machine_reaches_the_page():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    passwords = ("POSTGRES", "CONTROLLER", "API", "WORKER")
    keys = ("S3_SECRET_KEY", "INCUMBENT_PAGE_KEY", "INCUMBENT_SIGNING_KEY")
    for name in (*(f"{one}_PASSWORD" for one in passwords), *keys):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8321:8321"]
    assert SERVICES["controller"]["deploy"]["replicas"] == 2


def _champion(host: Host) -> Any:
    return next((v for v in host.ask("api", "versions", "tiny") or () if v["champion"]), None)


@pytest.mark.long
def test_the_services_commands_run_on_real_servers_and_a_controller_takes_over(host: Host):
    containers = ("controller", "controller-2", "api", "worker")

    def said() -> str:
        return "".join(map(host.log, containers))

    made = host.run(ONCE, *SERVICES[ONCE]["command"])
    assert made.returncode == 0, made.stderr
    with ExitStack() as stack:
        running = {name: stack.enter_context(host.container(name)) for name in containers}
        for name in containers:
            until(partial(host.healthy, name), PATIENCE, words=said, pause=0.2)

        deliver(host.folder / "project", "first.parquet", slope=2)
        first = until(lambda: _champion(host), PATIENCE, words=said, pause=0.2)
        stored = s3fs.S3FileSystem(endpoint_url=host.storage, key="incumbent", secret="any")
        assert stored.find("incumbent/artifacts")

        (leader,) = (c for c in host.ask("api", "status")["system"]["controllers"] if c["leads"])
        (lost,) = (p for p in running.values() if p.pid == leader["pid"])
        os.killpg(lost.pid, signal.SIGKILL)
        deliver(host.folder / "project", "second.parquet", slope=5)
        second = until(
            lambda: (_champion(host) != first and _champion(host)) or None,
            PATIENCE,
            words=said,
            pause=0.2,
        )

        assert second["version"] > first["version"]
        token = host.run("api", "incumbent", "token", "create", "ci").stdout.strip()
        request = urllib.request.Request(f"http://127.0.0.1:{host.port('api')}/v1/models/tiny")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["champion"] == second["version"]
        verified = host.run("controller", "incumbent", "verify", "--all")
        assert verified.returncode == 0, verified.stdout
    assert "Traceback" not in said()
