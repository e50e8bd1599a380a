"""Workers that die, pause or are told to go: the run goes on elsewhere, a late result counts for nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from controller.adapters.celery.broker import answers
from controller.adapters.memory import SystemClock
from controller.domain.errors import Unavailable
from controller.domain.runs import Run, RunState
from controller.domain.signals import SignalKind
from controller.ports import Query
from controller.service.rescue_runs import Rescuer
from tests.support.workplace import MODEL, Workplace, rows_of, until

WAITS = """
import time
from pathlib import Path
from toy_training import train as fit

def train(run):
    place = run.folder.parent.parent.parent
    with (place / ("attempts-" + run.id)).open("a") as log:
        log.write("x")
    while not (place / "go").exists():
        time.sleep(0.02)
    return fit(run)
"""


@pytest.fixture
def place(tmp_path: Path):
    place = Workplace.open(tmp_path / "home", INCUMBENT_LEASE="2", INCUMBENT_GRACE="0.3")
    (place.home / "waiting.py").write_text(WAITS)
    place.bring(rows_of(0))
    try:
        yield place
    finally:
        for worker in place.workers:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGCONT)
        place.close()


def attempts(place: Workplace, run: Run) -> int:
    log = place.home / f"attempts-{run.id}"
    return len(log.read_text()) if log.exists() else 0


def family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [*leader.children(recursive=True), leader]


def rescued(place: Workplace, run: Run) -> Run:
    """The run once its lease has run out and the rescuer took it back."""
    rescuer = Rescuer(place.store, SystemClock())

    def taken() -> bool:
        report = rescuer.run_once()
        return report.requeued + report.given_up > 0

    until(taken)
    return place.get(run)


def endings(place: Workplace) -> int:
    kinds = (SignalKind.RUN_FINISHED.value, SignalKind.RUN_FAILED.value)
    with place.store.read() as tx:
        return len(tx.signals.find(Query(model=MODEL, kinds=kinds)))


def test_a_killed_worker_s_run_succeeds_at_the_second_attempt(place: Workplace):
    worker = place.start_worker("w1")
    run = place.order("waiting:train")
    until(lambda: attempts(place, run) == 1)
    processes = family(worker.pid)
    for process in processes:
        process.kill()
    worker.wait()
    psutil.wait_procs(processes, timeout=10)
    again = rescued(place, run)
    assert (again.state, again.attempt, again.fence) == (RunState.QUEUED, 1, 2)
    (place.home / "go").touch()
    place.start_worker("w2")
    place.ring(again)
    ended = place.ended(run)
    assert (ended.state, ended.attempt, ended.worker) == (RunState.DONE, 2, "w2")
    assert endings(place) == 1


def test_the_user_s_process_dies_with_its_worker(place: Workplace):
    worker = place.start_worker("w1")
    run = place.order("toy_training:sleeps")
    marker = place.home / f"started-{run.id}"
    child = int(until(lambda: marker.exists() and marker.read_text()))
    for process in family(worker.pid):
        if process.pid != child:
            process.kill()
    worker.wait()
    until(
        lambda: (
            not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        )
    )


def test_a_paused_worker_s_late_result_counts_for_nothing(place: Workplace):
    worker = place.start_worker("w1")
    run = place.order("waiting:train")
    until(lambda: attempts(place, run) == 1)
    stopped = family(worker.pid)
    for process in stopped:
        process.suspend()
    again = rescued(place, run)
    place.start_worker("w2")
    (place.home / "go").touch()
    place.ring(again)
    ended = place.ended(run)
    assert (ended.state, ended.worker) == (RunState.DONE, "w2")
    for process in stopped:
        process.resume()
    until(lambda: "lost the run" in place.log("w1") or "late result ignored" in place.log("w1"))
    assert place.get(run) == ended
    assert endings(place) == 1


def test_attempts_come_to_an_end(place: Workplace):
    run = place.order("toy_training:sleeps", retries=0)
    worker = place.start_worker("w1")
    marker = place.home / f"started-{run.id}"
    until(marker.exists)
    for process in family(worker.pid):
        process.kill()
    worker.wait()
    dead = rescued(place, run)
    assert dead.state is RunState.DEAD
    assert endings(place) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a deploy"])
def test_a_worker_that_has_to_go_gives_its_run_back(place: Workplace, number: signal.Signals):
    worker = place.start_worker("w1", INCUMBENT_LEASE="600")
    run = place.order("waiting:train", retries=0)
    until(lambda: attempts(place, run) == 1)
    worker.send_signal(number)
    assert worker.wait(30) == 0
    again = rescued(place, run)  # long before its lease of ten minutes would have run out
    assert (again.state, again.attempt, again.tries) == (RunState.QUEUED, 1, 0)
    with place.store.read() as tx:
        assert tx.workers.all() == []
    (place.home / "go").touch()
    place.start_worker("w2")
    place.ring(again)
    assert place.ended(run).state is RunState.DONE


def test_trainings_do_not_depend_on_the_broker(place: Workplace):
    place.start_worker("w1")
    run = place.order("waiting:train")
    until(lambda: attempts(place, run) == 1)
    broker = place.broker
    assert broker
    first = broker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    until(lambda: broker.pid not in {None, first} and answers(place.home))
    (place.home / "go").touch()
    ended = place.ended(run)
    assert (ended.state, ended.attempt) == (RunState.DONE, 1)
    next_run = place.order(ring=False)

    def heard() -> bool:
        try:
            place.ring(next_run)
        except Unavailable:
            return False
        return place.get(next_run).state.ended

    until(heard)
    assert place.get(next_run).state is RunState.DONE
