"""One installation under test: database, broker, controllers and workers as real processes, in a folder of its own.

The home lies on a small file system where root may mount one, so that a disk can be full; the ledger does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.adapters.celery.broker import find_server, socket_path
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from tests.chaos.processes import Keeper, Kept, environment
from tests.chaos.proxy import Proxy
from tests.support import brokers
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
LEASE = 3.0
DISK = 256
"""Size of the home's file system in MiB."""


@dataclass(frozen=True)
class Shape:
    """What an installation is made of."""

    name: str
    database: str
    broker: str
    controllers: int
    workers: int


SHAPES = (
    Shape("SQLite and the embedded Valkey, one tree", "sqlite", "embedded", 1, 0),
    Shape(
        "PostgreSQL and Valkey that keeps nothing, two controllers", "postgresql", "valkey", 2, 2
    ),
    Shape("PostgreSQL and Valkey that syncs, two controllers", "postgresql", "valkey-aof", 2, 2),
    Shape("PostgreSQL and RabbitMQ, two controllers", "postgresql", "rabbitmq", 2, 2),
    Shape("SQLite and RabbitMQ, one controller", "sqlite", "rabbitmq", 1, 2),
)

POLICY = """\
version: 1
model: {model}
data: {{source: "data/{model}/*.parquet", target: y, features: [x], holdout: {{fraction: 20%, min_rows: 10}}}}
train: {{entrypoint: "chaos_model:train", retries: 60, timeout: 5m}}
triggers:
  - webhook: {{type: chaos}}
  - new_data: {{rows: 1}}
promote:
  - {{metric: mae, better_than: champion}}
rollback: {{then: resume}}
"""

MODEL = '''\
import json, os, random, time


def note(line):
    """One line of the ledger, whole: O_APPEND makes concurrent writers queue."""
    handle = os.open(os.environ["CHAOS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)


class Answer:
    def __init__(self, slope):
        self.slope = slope

    def predict(self, frame):
        return frame["x"] * self.slope


def train(run):
    attempt = run.folder.parent.name if "-" not in run.folder.name else run.folder.name
    nonce = random.SystemRandom().randrange(1 << 48)
    told = {"attempt": attempt, "run": run.id, "nonce": nonce, "pid": os.getpid()}
    note(told | {"phase": "begin", "at": time.time()})
    time.sleep(random.SystemRandom().random() * 0.4)
    number = int(run.id.rpartition(".r")[2])
    better = random.SystemRandom().random() < 0.7
    run.log_metric("nonce", nonce)
    note(told | {"phase": "end", "at": time.time()})
    return Answer(1 + 1 / (1 + 0.1 * number) if better else 3.0)
'''


@dataclass
class Site:
    """A running installation. ``database`` is where clients and the audit go; our processes go through proxies."""

    shape: Shape
    folder: Path
    models: tuple[str, ...]
    keeper: Keeper = field(default_factory=Keeper)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    postgres: PostgresServer | None = None
    broker: brokers.Server | None = None
    database: str = ""
    mounted: bool = False

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def home(self) -> Path:
        return self.folder / "disk" / "home"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def broker_socket(self) -> Path:
        return socket_path(self.home)

    def store(self) -> SqlStore:
        """The database, not through a proxy."""
        return SqlStore(self.database)

    def workers(self) -> list[Kept]:
        return [one for one in self.keeper.kept if one.name.startswith("worker")]

    def controllers(self) -> list[Kept]:
        return [one for one in self.keeper.kept if not one.name.startswith("worker")]

    # --- building --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._make_folders()
        ours = self._servers()
        base = environment(
            PYTHONPATH=f"{ROOT}:{self.folder}",
            CHAOS_LEDGER=str(self.ledger),
            INCUMBENT_HOME=str(self.home),
            INCUMBENT_RULES=str(self.folder / "rules"),
            INCUMBENT_CODE=str(self.folder),
            INCUMBENT_LEASE=str(LEASE),
            INCUMBENT_RESEND="3",
            INCUMBENT_GRACE="2",
            INCUMBENT_POLL="1",
            INCUMBENT_LOG_LEVEL="INFO",
            **ours,
        )
        program = str(Path(sys.executable).with_name("incumbent"))
        if self.shape.broker == "embedded":
            self._keep("up", [program, "up", "--no-page"], base)
        else:
            for number in range(self.shape.controllers):
                self._keep(f"controller-{number}", [program, "controller"], base)
        for number in range(self.shape.workers):
            named = base | {"INCUMBENT_WORKER_NAME": f"w{number}"}
            self._keep(f"worker-{number}", [sys.executable, "-m", "workers"], named)
        self._stack.callback(self.keeper.stop)
        self.keeper.start()

    def _keep(self, name: str, command: list[str], env: dict[str, str]) -> None:
        log = self.folder / f"{name}.log"
        self.keeper.kept.append(Kept(name, command, env, self.folder, log))

    def _make_folders(self) -> None:
        disk = self.folder / "disk"
        disk.mkdir(parents=True)
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(disk)]
            self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
            if self.mounted:
                self._stack.callback(_unmount, disk)
        self.home.mkdir()
        (self.folder / "rules").mkdir()
        (self.folder / "chaos_model.py").write_text(MODEL)
        for number, model in enumerate(self.models):
            (self.folder / "rules" / f"{model}.yaml").write_text(POLICY.format(model=model))
            (self.folder / "data" / model).mkdir(parents=True)
            self.bring(model, f"start-{number}")

    def bring(self, model: str, name: str) -> Path:
        """A new data file, whole at once."""
        chance = np.random.default_rng(len(name))
        x = chance.normal(size=120)
        table = pa.table({"x": x, "y": x + chance.normal(scale=0.01, size=120)})
        target = self.folder / "data" / model / f"{name}.parquet"
        partial = target.with_name(f".{name}.tmp")
        pq.write_table(table, partial)
        partial.rename(target)
        return target

    def _servers(self) -> dict[str, str]:
        ours: dict[str, str] = {}
        if self.shape.database == "postgresql":
            self.postgres = PostgresServer(durable=True, settings={"max_connections": "150"})
            self._stack.callback(self.postgres.remove)
            self.postgres.start()
            name = self.postgres.create()
            self.database = self.postgres.url(name)
            proxy = self._proxy("database", self.postgres.port)
            ours["INCUMBENT_DATABASE_URL"] = f"postgresql://incumbent@127.0.0.1:{proxy.port}/{name}"
        else:
            self.database = f"sqlite:///{self.home / 'incumbent.db'}"
        migrate(self.database)
        if self.shape.broker != "embedded":
            self.broker = self._broker()
            self._stack.callback(self.broker.close)
            self.broker.start()
            scheme, _, rest = self.broker.url.partition("127.0.0.1:")
            port, slash, tail = rest.partition("/")
            proxy = self._proxy("broker", int(port))
            ours["INCUMBENT_BROKER_URL"] = f"{scheme}127.0.0.1:{proxy.port}{slash}{tail}"
        return ours

    def _proxy(self, name: str, target: int) -> Proxy:
        self.proxies[name] = self._stack.enter_context(Proxy(target))
        return self.proxies[name]

    def _broker(self) -> brokers.Server:
        folder = self.folder / "broker"
        if self.shape.broker == "rabbitmq":
            return brokers.rabbitmq(folder)
        server = brokers.valkey(folder)
        if self.shape.broker == "valkey":
            keep = server.command.index("--appendonly")
            server.command[keep + 1] = "no"
        return server

    # --- what the nemesis reaches for --------------------------------------------------------------------------------

    def fill_disk(self) -> Path | None:
        """Take all the room that is left in the home's file system; None where it is not ours to fill."""
        if not self.mounted:
            return None
        filler = self.folder / "disk" / "filler"
        handle = os.open(filler, os.O_WRONLY | os.O_CREAT)
        try:
            left = os.statvfs(filler)
            with contextlib.suppress(OSError):
                os.posix_fallocate(handle, 0, max(left.f_bavail * left.f_frsize - 8192, 4096))
            with contextlib.suppress(OSError):
                while os.write(handle, b"0" * 4096):
                    pass
        finally:
            os.close(handle)
        return filler

    def restart_postgres(self) -> None:
        """It refuses to start while orphaned backends live, so try again."""
        assert self.postgres is not None
        deadline = time.monotonic() + 60
        while True:
            try:
                self.postgres.start()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def attempts(self) -> list[dict[str, object]]:
        """The lines of the ledger."""
        if not self.ledger.exists():
            return []
        return [json.loads(line) for line in self.ledger.read_text().splitlines() if line]


def can_run(shape: Shape) -> str:
    """Why this shape cannot run here; empty if it can."""
    if shape.broker == "rabbitmq" and not brokers.RABBITMQ.exists():
        return "RabbitMQ is not installed (Debian's package rabbitmq-server)"
    if shape.broker.startswith("valkey"):
        find_server()
    return ""


def _unmount(disk: Path) -> None:
    subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)
