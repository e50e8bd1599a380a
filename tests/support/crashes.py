"""A controller and a worker that die at named places and are started anew, as a supervisor would, until all is done.

They are processes with the real services, on SQLite or PostgreSQL. Two things stand in for what other tests show: the
broker is a folder of files, and a run's work is done at once, so that a story takes a second and hundreds can be told.
`python -m tests.support.crash_runs` tells all of them: each place once, and each pair.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from controller import crashpoints
from controller.adapters.artifacts import LocalArtifacts
from controller.adapters.clock import SystemClock
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.bootstrap import build_controller, open_store, parse_rules
from controller.crashpoints import POINTS
from controller.domain.errors import IncumbentError
from controller.domain.runs import RunKind, RunState
from controller.ports import Query, RunEnd, Store
from controller.rulefmt import blob_id
from controller.service.replay.verify import Verifier
from controller.settings import load_settings
from tests.support.house import PASSES, evaluation_of
from workers import execute as executing
from workers.draining import Drain
from workers.launching import Nursery
from workers.settings import WorkerSettings
from workers.steps import RunSteps, Workplace

MODEL = "toy"
LEASE = 1.0
PATIENCE = 90.0
RULES = {
    "toy.yaml": """\
version: 1
model: toy
data: {source: "data/*.parquet", target: y, features: [x]}
train: {entrypoint: "toy:train", retries: 6}
triggers:
  - new_data: {rows: 100}
promote:
  - {metric: mae, better_than: champion}
""",
    "tick.yaml": """\
version: 1
model: tick
mode: audit
data: {source: "none/*.parquet", target: y, features: [x]}
train: {entrypoint: "toy:train"}
triggers:
  - schedule: {every: 1s}
promote:
  - {metric: mae, better_than: champion}
""",
}
_migrating = threading.Lock()  # Alembic knows one migration a process
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


class Bells:
    """The broker: a file a doorbell. Whoever takes the file has heard it, and has acknowledged it by that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def ring(
        self,
        run: str,
        fence: int,
        *,
        queue: str,
        expires: timedelta,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        del queue, expires, headers
        (self.folder / f"{run}@{fence}").touch()

    def take(self) -> tuple[str, int] | None:
        for bell in sorted(self.folder.iterdir()):
            bell.unlink(missing_ok=True)
            run, _, fence = bell.name.partition("@")
            return run, int(fence)
        return None

    def forgot(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""


def _settings(home: str, url: str) -> Any:
    return load_settings(
        home=Path(home),
        rules=f"{home}/rules",
        code=Path(home),
        database_url=url,
        tick=0.05,
        sync=0.2,
        lease=LEASE,
        resend=0.5,
        lead=1.0,
    )


def control(home: str, url: str, armed: str, log: str) -> None:
    """A controller, until it is ended."""
    os.environ["INCUMBENT_CRASH_LOG"] = log
    crashpoints.arm(armed)
    settings = _settings(home, url)
    store = open_store(settings, create=True)
    build_controller(settings, store, Bells(Path(home) / "bells")).start()
    time.sleep(PATIENCE * 2)


def labour(home: str, url: str, armed: str, log: str) -> None:
    """A worker, until it is ended. What a training or an evaluation brings is known beforehand."""
    os.environ["INCUMBENT_CRASH_LOG"] = log
    crashpoints.arm(armed)
    settings = WorkerSettings(
        home=Path(home),
        database_url=url,
        broker_url="",
        artifacts=f"{home}/artifacts",
        code=Path(home),
        name=f"w{os.getpid()}",
        lease=LEASE,
    )
    store = SqlStore(url, SystemClock())
    place = Workplace(
        settings=settings,
        store=store,
        artifacts=LocalArtifacts(Path(settings.artifacts)),
        nursery=Nursery(),
        drain=Drain(),
    )
    executing.STEPS = dict.fromkeys(RunKind, _perform)
    bells = Bells(Path(home) / "bells")
    while True:
        heard = bells.take()
        if heard is None:
            time.sleep(0.02)
            continue
        with contextlib.suppress(IncumbentError):
            executing.execute(place, *heard)


def _perform(steps: RunSteps) -> RunEnd:
    run = steps.run
    with (steps.place.settings.home / "effects").open("a") as ledger:
        ledger.write(f"{run.id} {run.fence}\n")
    if run.spec.kind is not RunKind.TRAIN:
        return RunEnd(
            state=RunState.DONE, result={"evaluation": evaluation_of(run, PASSES), **steps.used()}
        )
    digest = steps.place.artifacts.put_bytes(f"model of {run.id} {run.fence}".encode())
    return RunEnd(
        state=RunState.DONE,
        result={
            "digest": digest,
            "size": 1,
            "metrics": {"mae": 1.0},
            "recipe": run.spec.recipe,
            "data_through": run.spec.data_through,
        },
    )


@dataclass
class Story:
    """Two files arrive; each must bring exactly one champion, whatever dies meanwhile."""

    home: Path
    url: str
    wanted: frozenset[str]
    children: dict[str, BaseProcess] = field(default_factory=dict)
    restarts: int = 0

    def tell(self) -> None:
        """Runs to its end, and checks what must hold."""
        (self.home / "rules").mkdir()
        (self.home / "data").mkdir()
        for name, text in RULES.items():
            (self.home / "rules" / name).write_text(text)
        with _migrating:
            migrate(self.url)
        store = SqlStore(self.url, SystemClock())
        try:
            self._start("control")
            self._arrive(1)
            self._ghost(store)
            self._start("labour")
            self._until(lambda: _settled(store, 1), store)
            self._arrive(2)
            self._until(lambda: _settled(store, 2), store)
            self._until(lambda: not self.wanted - self._hit(), store)
            self._until(lambda: _settled(store, 2), store)
        finally:
            self._end()
        check(store, LocalArtifacts(self.home / "artifacts"), champion=2)
        store.close()

    def _start(self, name: str) -> None:
        armed = ",".join(sorted(self.wanted - self._hit()))
        process = _processes.Process(
            target={"control": control, "labour": labour}[name],
            args=(str(self.home), self.url, armed, str(self.home / "crashes")),
            daemon=True,
        )
        process.start()
        self.children[name] = process

    def _hit(self) -> set[str]:
        log = self.home / "crashes"
        return set(log.read_text().split()) if log.exists() else set()

    def _arrive(self, number: int) -> None:
        place = self.home / f"{number}.new"
        x = [float(i) for i in range(200)]
        pq.write_table(pa.table({"x": x, "y": x}), place)
        place.rename(self.home / "data" / f"{number}.parquet")

    def _ghost(self, store: Store) -> None:
        """A worker takes the first run and is never heard of again."""

        def taken() -> bool:
            with store.read() as tx:
                queued = tx.runs.find(Query(model=MODEL, states=(RunState.QUEUED.value,)))
            for run in queued:
                with store.begin() as tx:
                    lease = timedelta(seconds=0.2)
                    return tx.runs.claim(run.id, run.fence, worker="ghost", lease=lease) is not None
            return False

        self._until(taken, store)

    def _until(self, condition: Any, store: Store) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            for name, child in list(self.children.items()):
                if child.exitcode is not None:
                    assert child.exitcode == 137, f"{name} ended with {child.exitcode}"
                    self.restarts += 1
                    self._start(name)
            assert time.monotonic() < deadline, self._stuck(store)
            time.sleep(0.02)

    def _stuck(self, store: Store) -> str:
        with store.read() as tx:
            runs = [(r.id, r.state.value, r.fence, r.reason) for r in tx.runs.find(Query())]
            waiting = [(s.key, s.status.value, s.reason) for s in tx.signals.pending(MODEL)]
        left = self.wanted - self._hit()
        return f"stuck; not reached: {sorted(left)}; runs {runs}; signals {waiting}"

    def _end(self) -> None:
        for child in self.children.values():
            child.kill()
            child.join()


def _settled(store: Store, champion: int) -> bool:
    with store.read() as tx:
        return (
            tx.models.state(MODEL).champion == champion
            and not tx.signals.pending(MODEL)
            and not tx.runs.find(Query(states=(RunState.QUEUED.value, RunState.RUNNING.value)))
            and not tx.outbox.depth().get("run", 0)
        )


def check(store: Store, artifacts: LocalArtifacts, *, champion: int) -> None:
    """The invariants of the design on what is committed."""
    with store.read() as tx:
        verified = Verifier(tx, parse_rules, blob_id).all()
        assert verified.whole, verified.first
        assert not verified.findings
        signals = tx.signals.find(Query(limit=100_000))
        files = [s for s in signals if s.kind == "new_data"]
        assert sorted(s.payload["uri"][-9:] for s in files) == ["1.parquet", "2.parquet"]
        assert all(s.status.ended and s.reason for s in signals if s.model == MODEL)
        versions = tx.registry.versions(MODEL)
        runs = tx.runs.find(Query(limit=1000))
        assert tx.models.state(MODEL).champion == champion
    assert [v.number for v in versions if v.state == "champion"] == [champion]
    assert len({v.run for v in versions}) == len(versions) == champion
    assert sorted(r.spec.kind.value for r in runs) == sorted(["train", "evaluate"] * champion)
    assert all(r.state is RunState.DONE for r in runs)
    for run in runs:
        assert sum(s.payload.get("run") == run.id for s in signals) == 1, "an end is told once"
    for version in versions:
        assert artifacts.read_bytes(version.digest).startswith(f"model of {version.run} ".encode())
    due = sorted(
        (datetime.fromisoformat(s.payload["due"]), s.payload["missed"])
        for s in signals
        if s.kind == "schedule"
    )
    for (before, _), (after, missed) in pairwise(due):
        assert after - before == (missed + 1) * timedelta(seconds=1), "each due time once"


def points(kind: str) -> list[str]:
    """The places that a story on this kind of database comes to."""
    return [name for name in POINTS if kind == "postgresql" or name != "lead-won"]


def pairs(kind: str) -> list[tuple[str, str]]:
    """Every two different places."""
    return list(itertools.combinations(points(kind), 2))
