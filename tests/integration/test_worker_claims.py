"""Whose claim, whose name: what a worker is told by a database that does not know it as it knows itself."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from controller.adapters.memory import MemoryStore, SystemClock
from controller.adapters.sql.store import SqlStore
from controller.domain.errors import Conflict
from controller.domain.runs import Run, RunState
from controller.ports import Query, RunEnd, Store, WorkerRow
from tests.support.makers import AT, HOUR, MINUTE, MODEL, order
from tests.support.stores import Bench
from tests.support.waiting import until
from tests.support.workplace import ROOT, Workplace, rows_of
from workers.draining import Drain
from workers.naming import PATIENCE, wait_for_name
from workers.reporting import Reporter, report_end
from workers.settings import WorkerSettings

DONE = RunEnd(state=RunState.DONE, result={"digest": "d1"})


def reporter(store: Store, run: Run) -> Reporter:
    settings = WorkerSettings(
        home=Path(),
        database_url="",
        broker_url="",
        artifacts="",
        code=Path(),
        name=run.worker or "",
    )
    return Reporter(store, run, settings, 0.0, Drain())


def claimed(store: Store, worker: str) -> Run:
    with store.begin() as tx:
        order(tx)
        run = tx.runs.claim(f"{MODEL}.r1", 0, worker=worker, lease=HOUR)
    assert run
    return run


def counters(store: Store) -> dict[str, int]:
    with store.read() as tx:
        return dict(tx.counters.all())


@pytest.mark.parametrize("other", ["w1", "w2"], ids=["the same worker", "another worker"])
def test_a_result_of_today_does_not_count_in_yesterday_s_database(
    database: Bench, tmp_path: Path, sqlite_template: Path, other: str
):
    """The backup gave the number to another order since, and the same fence to whoever claimed that."""
    shutil.copyfile(sqlite_template, tmp_path / "today.db")
    today = SqlStore(f"sqlite:///{tmp_path / 'today.db'}")
    run = claimed(today, "w1")
    database.pass_time(MINUTE)
    anew = claimed(database.store, other)
    assert (anew.id, anew.fence) == (run.id, run.fence)
    late = reporter(database.store, run)
    assert report_end(database.store, run, DONE, late) is False
    late._write(beating=True)
    assert late.stop() == "lost"
    with database.store.read() as tx:
        held = tx.runs.get(run.id)
        assert held
        assert held.state is RunState.RUNNING
    assert counters(database.store) == {"results_too_late": 1, "workers_fenced": 1}
    assert report_end(database.store, anew, DONE, reporter(database.store, anew)) is True
    today.close()


def test_a_result_that_is_told_twice_counts_once_and_is_counted(bench: Bench):
    run = claimed(bench.store, "w1")
    assert report_end(bench.store, run, DONE, reporter(bench.store, run)) is True
    assert report_end(bench.store, run, DONE, reporter(bench.store, run)) is False
    assert counters(bench.store) == {"results_told_twice": 1}
    with bench.store.read() as tx:
        assert len(tx.signals.find(Query(kinds=("run_finished",)))) == 1


def test_a_result_that_comes_too_late_is_counted(bench: Bench):
    run = claimed(bench.store, "w1")
    bench.pass_time(2 * HOUR)
    with bench.store.begin() as tx:
        tx.runs.reclaim(at=AT)
    assert report_end(bench.store, run, DONE, reporter(bench.store, run)) is False
    assert counters(bench.store) == {"results_too_late": 1}


# --- names --------------------------------------------------------------------------------------------------


class Patience:
    """Time that passes only while somebody rests."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


def row(**changes: object) -> WorkerRow:
    here = WorkerRow(
        name="w1",
        host="elsewhere",
        pid=1,
        version="1",
        queues=("default",),
        concurrency=1,
        started_at=AT,
    )
    return replace(here, **changes)  # type: ignore[arg-type]


def test_a_name_that_another_worker_lives_under_is_refused(bench: Bench):
    clock = Patience()

    def rest(seconds: float) -> None:
        clock.rest(seconds)
        bench.clock.advance(timedelta(seconds=1))
        with bench.store.begin() as tx:
            tx.workers.beat(row())

    with bench.store.begin() as tx:
        tx.workers.beat(row())
    with pytest.raises(Conflict, match="A worker called w1 lives already: process 1 on elsewhere"):
        wait_for_name(bench.store, "w1", clock, rest)


def test_a_name_whose_worker_is_silent_is_free_after_a_while():
    store, clock = MemoryStore(SystemClock()), Patience()
    with store.begin() as tx:
        tx.workers.beat(row())
    wait_for_name(store, "w1", clock, clock.rest)
    assert clock.now >= PATIENCE


def test_a_name_whose_worker_died_here_is_free_at_once():
    store, clock = MemoryStore(SystemClock()), Patience()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with store.begin() as tx:
        tx.workers.beat(row(host=platform.node(), pid=dead.pid))
    wait_for_name(store, "w1", clock, clock.rest)
    wait_for_name(store, "another", clock, clock.rest)
    assert clock.now == 0


@pytest.fixture
def place(tmp_path: Path):
    place = Workplace.open(tmp_path / "home", INCUMBENT_LEASE="2", INCUMBENT_GRACE="0.3")
    place.bring(rows_of(0))
    try:
        yield place
    finally:
        place.close()


@pytest.mark.long
def test_a_second_worker_of_the_same_name_says_so_and_stops(place: Workplace):
    first = place.start_worker("w1")
    second = subprocess.run(
        [sys.executable, "-m", "workers"],
        cwd=ROOT,
        env=os.environ | place.environment | {"INCUMBENT_WORKER_NAME": "w1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 4
    assert f"A worker called w1 lives already: process {first.pid} on" in second.stderr
    assert "Traceback" not in second.stderr
    assert place.train().state is RunState.DONE
    for process in [*psutil.Process(first.pid).children(recursive=True), psutil.Process(first.pid)]:
        process.send_signal(signal.SIGKILL)
    first.wait()
    place.start_worker("w1")
    assert place.train().state is RunState.DONE


@pytest.mark.long
def test_a_database_from_a_backup_while_the_broker_remembers_today(place: Workplace):
    file = Path(str(place.store.place))
    before = place.order(ring=False)
    place.store.close()
    shutil.copyfile(file, file.with_suffix(".backup"))
    worker = place.start_worker("w1")
    place.ring(before)
    assert place.ended(before).state is RunState.DONE
    after = place.train()
    assert after.state is RunState.DONE
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    place.ring(before)  # what the broker still holds: a run that will have ended only today,
    place.ring(after)  # and one that nobody will ever have ordered
    place.store.close()
    for leftover in file.parent.glob(f"{file.name}-*"):
        leftover.unlink()
    shutil.copyfile(file.with_suffix(".backup"), file)
    place.start_worker("w2")
    again = place.ended(before)
    assert (again.state, again.attempt, again.worker) == (RunState.DONE, 1, "w2")
    until(lambda: "nothing to claim" in place.log("w2"))
    with place.store.read() as tx:
        assert tx.runs.get(after.id) is None
        assert len(tx.signals.find(Query(kinds=("run_finished",)))) == 1
    assert place.train().state is RunState.DONE
