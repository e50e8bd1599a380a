"""A real workplace for tests: an embedded broker, a SQLite database, Celery workers in processes of their own.

A test orders runs as a decision would, rings as the relay would, and waits for what the database says.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.adapters.artifacts import LocalArtifacts
from controller.adapters.celery import CeleryDispatcher, EmbeddedBroker
from controller.adapters.memory import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.decisions import RegisterVersion, RulesRef, StartRun
from controller.domain.rules import DataSection, Holdout
from controller.domain.runs import Run, RunKind, RunSpec, RunState, run_id
from controller.ports import Batch, NewDecision
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
MODEL = "toy"
START = datetime(2013, 1, 1, tzinfo=UTC)
DATA = DataSection(
    source="data/*.parquet",
    target="y",
    time="t",
    key="id",
    holdout=Holdout(last=timedelta(days=5), min_rows=100),
)

TRAININGS = '''
import os, sys, time, signal
import numpy as np

class Line:
    """y = a x + b."""
    def __init__(self, a, b):
        self.a, self.b = a, b
    def predict(self, frame):
        return self.a * frame["x"].to_numpy() + self.b

def train(run):
    frame = run.pandas()
    a, b = np.polyfit(frame["x"], frame["y"], 1)
    print("fitted", len(frame), "rows")
    for step in range(3):
        run.log_metric("mae", 3.0 - step, step=step)
    run.progress(1, 2)
    (run.folder / "note.txt").write_text("hello")
    run.log_artifact(run.folder / "note.txt")
    return Line(a * run.params.get("slope", 1.0), b)

def picky(run):
    if run.params["slope"] > 1.5:
        raise ValueError("too steep")
    return train(run)

def raises(run):
    print("about to fail")
    raise ValueError("the labels are upside down")

def killed(run):
    os.kill(os.getpid(), signal.SIGKILL)

def sleeps(run):
    (run.folder.parent.parent.parent / ("started-" + run.id)).write_text(str(os.getpid()))
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    (run.folder.parent.parent.parent / ("grandchild-" + run.id)).write_text(str(child))
    while True:
        time.sleep(0.05)

def stubborn(run):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeps(run)

def eats(run):
    hoard = []
    while True:
        hoard.append(np.ones(4_000_000))
        time.sleep(0.02)

def nothing(run):
    return None

def exits(run):
    sys.exit(3)

def diverges(run):
    run.log_metric("loss", 1.0)
    run.log_metric("loss", float("nan"))
    return train(run)

def fills(run):
    with open(run.folder / "big", "wb") as file:
        while True:
            file.write(os.urandom(1 << 20))

def large(run):
    model = train(run)
    model.ballast = os.urandom(3 << 20)
    return model

class Unloadable(Line):
    def __reduce__(self):
        return (eval, ("1/0",))

def unloadable(run):
    return Unloadable(1.0, 0.0)

class Rogue(Line):
    def predict(self, frame):
        answers = super().predict(frame)
        answers[:12] = np.nan
        return answers

def rogue(run):
    return Rogue(1.0, 0.0)
'''


def rows_of(day: int, days: int = 10, seed: int = 0, **columns: Any) -> pa.Table:
    """Rows of ``days`` days from ``day`` on, 100 a day: y = 2 x + 1 + noise."""
    chance = np.random.default_rng(seed + day)
    n = days * 100
    x = chance.normal(size=n)
    times = [START + timedelta(days=day, minutes=14.4 * i) for i in range(n)]
    table = {
        "id": [f"r{day * 100 + i}" for i in range(n)],
        "t": pa.array(times, pa.timestamp("us", "UTC")),
        "x": x,
        "place": chance.choice(["north", "south"], n),
        "y": 2 * x + 1 + chance.normal(size=n),
    }
    return pa.table(table | columns)


@dataclass
class Workplace:
    """Everything a worker needs, in ``home``."""

    home: Path
    broker: EmbeddedBroker | None
    store: SqlStore
    dispatcher: CeleryDispatcher
    environment: dict[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _sequence: int = 0

    @classmethod
    def open(
        cls, home: Path, broker_url: str = "", database_url: str = "", **environment: str
    ) -> Workplace:
        """On the embedded default, except for what is named."""
        home.mkdir(parents=True, exist_ok=True)
        broker = None
        if not broker_url:
            broker = EmbeddedBroker(home)
            broker.start()
        url = database_url or f"sqlite:///{home / 'incumbent.db'}"
        migrate(url)
        (home / "toy_training.py").write_text(TRAININGS)
        settings = {
            "INCUMBENT_HOME": str(home),
            "INCUMBENT_CODE": str(home),
            "INCUMBENT_LOG_LEVEL": "INFO",
            "INCUMBENT_DATABASE_URL": url,
            **({"INCUMBENT_BROKER_URL": broker_url} if broker_url else {}),
        }
        return cls(
            home=home,
            broker=broker,
            store=SqlStore(url, SystemClock()),
            dispatcher=CeleryDispatcher(broker.url if broker else broker_url),
            environment=settings | environment,
        )

    @property
    def artifacts(self) -> LocalArtifacts:
        return LocalArtifacts(self.home / "artifacts")

    def start_worker(
        self, name: str = "w1", *, program: str = "", **environment: str
    ) -> subprocess.Popen[bytes]:
        """A worker process (or what ``program``, Python, makes of it); returns once its row is in the database."""
        before = os.environ | self.environment | environment | {"INCUMBENT_WORKER_NAME": name}
        log = (self.home / f"{name}.log").open("ab")
        worker = subprocess.Popen(
            [sys.executable, *(["-c", program] if program else ["-m", "workers"])],
            cwd=ROOT,
            env=before,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self.workers.append(worker)
        until(lambda: worker.poll() is not None or self._lives(name, worker.pid))
        assert worker.poll() is None, self.log(name)
        return worker

    def _lives(self, name: str, pid: int) -> bool:
        with self.store.read() as tx:
            return any(row.name == name and row.pid == pid for row in tx.workers.all())

    def log(self, name: str = "w1") -> str:
        return (self.home / f"{name}.log").read_text()

    def bring(self, table: pa.Table, name: str | None = None) -> Batch:
        """A new data file, taken in."""
        self._sequence += 1
        folder = self.home / "data"
        folder.mkdir(exist_ok=True)
        path = folder / (name or f"{self._sequence:02d}.parquet")
        pq.write_table(table, path)
        batch = Batch(
            uri=str(path),
            digest=hashlib.sha256(path.read_bytes()).hexdigest(),
            size=path.stat().st_size,
            rows=table.num_rows,
        )
        with self.store.begin() as tx:
            return tx.data.add(MODEL, [batch], START)[0]

    def order(
        self, entrypoint: str = "toy_training:train", *, ring: bool = True, **changes: Any
    ) -> Run:
        """Order a run as a decision does, and ring."""
        with self.store.begin() as tx:
            decision = self._decide(tx)
            number = tx.models.state(MODEL).next_run
            spec: dict[str, Any] = {
                "kind": RunKind.TRAIN,
                "model": MODEL,
                "data": DATA,
                "data_through": tx.data.view(MODEL).through,
                "seed": 7,
                "recipe": "line",
                "entrypoint": entrypoint,
                "timeout": timedelta(seconds=180),
                "retries": 1,
            }
            action = StartRun(
                run=run_id(MODEL, number), number=number, spec=RunSpec(**(spec | changes))
            )
            run = tx.runs.order(MODEL, action, decision=decision, at=datetime.now(UTC))
        if ring:
            self.ring(run)
        return run

    def ring(self, run: Run) -> None:
        self.dispatcher.ring(run.id, run.fence, queue=run.spec.queue, expires=timedelta(minutes=5))

    def ended(self, run: Run, seconds: float = 180.0) -> Run:
        """The run once it has ended."""
        return until(lambda: self._ended(run), seconds)

    def _ended(self, run: Run) -> Run | None:
        held = self.get(run)
        return held if held.state.ended else None

    def get(self, run: Run) -> Run:
        with self.store.read() as tx:
            found = tx.runs.get(run.id)
        assert found
        return found

    def train(self, entrypoint: str = "toy_training:train", **changes: Any) -> Run:
        """Order a training and wait for its end."""
        return self.ended(self.order(entrypoint, **changes))

    def register(self, run: Run) -> int:
        """Enter a trained model as a version, as a decision does."""
        assert run.state is RunState.DONE, run.reason
        with self.store.begin() as tx:
            decision = self._decide(tx)
            number = tx.models.state(MODEL).next_version
            action = RegisterVersion(
                version=number,
                run=run.id,
                digest=run.result["digest"],
                recipe=run.spec.recipe,
                size=run.result["size"],
                metrics=run.result["metrics"],
                lineage=run.result["lineage"],
            )
            tx.registry.register(MODEL, action, decision=decision, at=datetime.now(UTC))
        return number

    def evaluate(self, version: int, **changes: Any) -> Run:
        """Order an evaluation and wait for its end."""
        return self.ended(self.order(kind=RunKind.EVALUATE, version=version, **changes))

    def lineage(self, run: Run) -> Mapping[str, Any]:
        import json

        found: Mapping[str, Any] = json.loads(self.artifacts.read_bytes(run.result["lineage"]))
        return found

    def output(self, run: Run) -> str:
        return self.artifacts.read_bytes(run.result["output"]).decode()

    def _decide(self, tx: Any) -> int:
        record = tx.decisions.record(
            NewDecision(
                model=MODEL,
                decided_at=START,
                rules=RulesRef(path="rules/toy.yaml", blob="0" * 40),
                snapshot="{}",
                decision='{"verdict":"none"}',
            )
        )
        return int(record.id)

    def close(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)  # its zygote sees the lifeline end
            worker.wait()
        self.dispatcher.close()
        self.store.close()
        if self.broker:
            self.broker.stop()
