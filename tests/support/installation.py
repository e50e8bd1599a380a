"""An installation on a home of its own: real processes that a test starts, kills and finds again.

Each process carries a mark in its environment, so that all that descend from it are found however they came to be; the
broker, which writes its title over its environment, and git, which gets an environment of its own, are known by the
folder that they live in.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.runs import Run
from controller.domain.signals import NewSignal, SignalKind, SignalStatus
from controller.ports import Query
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
MODEL = "toy"
PROGRAM = str(Path(sys.executable).with_name("incumbent"))
POLICY = f"""\
version: 1
model: {MODEL}
data: {{source: "data/*.parquet", target: y, features: [x], holdout: {{fraction: 20%, min_rows: 10}}}}
train: {{entrypoint: "toy_model:train", retries: 20, timeout: 5m}}
triggers:
  - webhook: {{type: toy}}
promote:
  - {{metric: mae, better_than: champion}}
"""
TRAINING = """\
import os, time
from pathlib import Path

class Answer:
    def predict(self, frame):
        return frame["x"]

def train(run):
    time.sleep(float(os.environ.get("TOY_SECONDS", "0.2")))
    run.log_metric("mae", 1.0)
    return Answer()
"""


@dataclass
class Installation:
    """Rules, data and code in ``folder``; the state in ``home``. ``settings`` are environment variables."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    home: Path = Path()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.home == Path():
            self.home = self.folder / "home"
        for name in ("rules", "data"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "rules" / "toy.yaml").write_text(POLICY)
        (self.folder / "toy_model.py").write_text(TRAINING)
        x = np.random.default_rng(7).normal(size=120)
        pq.write_table(pa.table({"x": x, "y": x}), self.folder / "data" / "first.parquet")

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of this installation."""
        held = {name: v for name, v in os.environ.items() if not name.startswith("INCUMBENT_")}
        return held | {
            "PYTHONPATH": str(ROOT),
            "TEST_MARK": self.mark,
            "INCUMBENT_HOME": str(self.home),
            "INCUMBENT_RULES": str(self.folder / "rules"),
            "INCUMBENT_CODE": str(self.folder),
            "INCUMBENT_PORT": "0",
            "INCUMBENT_LEASE": "3",
            "INCUMBENT_RESEND": "2",
            "INCUMBENT_GRACE": "2",
            **self.settings,
        }

    def launch(self, *words: str, before: Sequence[str] = (), log: str = "log") -> Launched:
        """`incumbent WORDS`, behind the words of ``before``; it writes to the file ``log``."""
        path = self.folder / log
        with path.open("ab") as output:
            process = subprocess.Popen(
                [*before, PROGRAM, *words],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started.append(process)
        return Launched(process, path)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [PROGRAM, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def store(self) -> Iterator[SqlStore]:
        """Its database, made if there is none."""
        self.home.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{self.home / 'incumbent.db'}"
        migrate(url)
        store = SqlStore(url, SystemClock())
        try:
            yield store
        finally:
            store.close()

    def signal(self, key: str) -> int:
        """An event that asks for a training; its id once it is kept."""
        new = NewSignal(
            key=key,
            model=MODEL,
            kind=SignalKind.WEBHOOK,
            occurred_at=datetime.now(UTC),
            payload={"type": "toy"},
            actor="test",
        )
        with self.store() as store, store.begin() as tx:
            return tx.signals.append([new], datetime.now(UTC))[0].id

    def runs(self) -> list[Run]:
        with self.store() as store, store.read() as tx:
            return tx.runs.find(Query(limit=1000))

    def at_rest(self) -> bool:
        """Everything is answered, and every run has ended: at one moment, for an end asks for the next run."""
        with self.store() as store, store.read() as tx:
            waiting = tx.signals.find(Query(states=(SignalStatus.OPEN.value,), limit=1))
            return not waiting and all(run.state.ended for run in tx.runs.find(Query(limit=1000)))

    def processes(self) -> list[psutil.Process]:
        """All of this installation that live."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and self._has(process):
                    found.append(process)
        return found

    def left(self) -> str:
        """Their command lines, a line each; one that ends while it is looked at is left no longer."""
        lines = []
        for process in self.processes():
            with suppress(psutil.Error):
                lines.append(f"{process.pid} {' '.join(process.cmdline())}")
        return "\n".join(lines)

    def _has(self, process: psutil.Process) -> bool:
        marked = process.environ().get("TEST_MARK") == self.mark
        return marked or Path(process.cwd()).is_relative_to(self.home.resolve())

    def close(self) -> None:
        """Kill what is left, by the mark alone."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        for started in self.started:
            started.wait()


@dataclass(frozen=True)
class Launched:
    """A process of an installation, and what it has written."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def says(self, text: str) -> Launched:
        """Wait until it has written ``text``."""
        until(lambda: text in self.said() or self.process.poll() is not None, words=self.said)
        assert text in self.said(), self.said()
        return self

    def kill(self) -> None:
        """kill -9 of this process alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(60)
