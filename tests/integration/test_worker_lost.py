"""Workers that die, pause or are told to go: the run goes on elsewhere, a late result counts for nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from controller.adapters.celery import dispatcher as dispatching
from controller.adapters.celery.broker import answers
from controller.adapters.memory import SystemClock
from controller.adapters.sql import runs as ordering
from controller.domain.errors import Unavailable
from controller.domain.runs import Run, RunState
from controller.domain.signals import SignalKind
from controller.ports import Query
from controller.service.loops.rescue_runs import Rescuer
from tests.support.waiting import lives, until
from tests.support.workplace import MODEL, Workplace, rows_of

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
    until(lambda: not lives(child))


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
    with place.store.read() as tx:
        counted = tx.counters.all()
    assert counted["runs_taken_back"] == 1
    assert counted.get("results_too_late", 0) + counted.get("workers_fenced", 0) >= 1


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


NEXT_VERSION = """
import controller, controller.adapters.celery.settings as messages, controller.domain.runs as orders
controller.__version__, messages.PROTOCOL, orders.FORMAT = "99.0", 2, 2
from workers.__main__ import main
raise SystemExit(main())
"""


@pytest.mark.long
def test_what_a_newer_version_orders_waits_for_a_newer_worker(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
):
    """A rolling update: the controller is new, one worker is old, one is new."""
    place.start_worker("old")
    monkeypatch.setattr(ordering, "FORMAT", 2)
    run = place.order(ring=False)
    place.ring(run)
    until(lambda: "Its order has format 2, and this worker reads up to 1" in place.log("old"))
    monkeypatch.setattr(dispatching, "PROTOCOL", 2)
    place.ring(run)
    until(lambda: "it speaks version '2' of the protocol and this worker 1" in place.log("old"))
    held = place.get(run)
    assert (held.state, held.fence, held.attempt) == (RunState.QUEUED, 0, 0)
    place.start_worker("new", program=NEXT_VERSION)

    def done() -> bool:
        place.ring(run)
        return place.get(run).state.ended

    until(done)
    ended = place.get(run)
    assert (ended.state, ended.worker, ended.attempt) == (RunState.DONE, "new", 1)
    monkeypatch.setattr(dispatching, "PROTOCOL", 1)
    monkeypatch.setattr(ordering, "FORMAT", 1)
    assert place.train().state is RunState.DONE, "what the old version orders, both can do"


@pytest.mark.long
def test_a_worker_that_has_to_go_lets_a_short_training_end(place: Workplace):
    worker = place.start_worker("w1", INCUMBENT_GRACE="60")
    run = place.order("waiting:train")
    until(lambda: attempts(place, run) == 1)
    worker.send_signal(signal.SIGTERM)
    (place.home / "go").touch()
    ended = place.ended(run)
    assert (ended.state, ended.attempt, ended.handed_back) == (RunState.DONE, 1, 0)
    assert worker.wait(30) == 0


@pytest.mark.long
def test_a_training_that_outlives_its_lease_many_times_is_slow_and_not_lost(place: Workplace):
    place.start_worker("w1", INCUMBENT_LEASE="0.6")
    run = place.order("waiting:train", retries=0)
    rescuer = Rescuer(place.store, SystemClock())
    until(lambda: attempts(place, run) == 1)
    first = place.get(run).lease_until
    assert first

    def renewed_often() -> bool:
        assert rescuer.run_once().given_up == 0
        now = place.get(run).lease_until
        return now is not None and (now - first).total_seconds() > 3

    until(renewed_often)
    (place.home / "go").touch()
    assert place.ended(run).state is RunState.DONE


SHORT_SIGHT = """
import controller.adapters.celery.settings as settings
of_redis = settings._redis_options
settings._redis_options = lambda: of_redis() | {"visibility_timeout": 1}
from workers.__main__ import main
raise SystemExit(main())
"""


@pytest.mark.long
def test_a_training_that_outlives_the_visibility_timeout_runs_once(place: Workplace):
    """With a late acknowledgement Redis would hand the message out again, to the next free process."""
    place.start_worker("w1", program=SHORT_SIGHT, INCUMBENT_WORKER_CONCURRENCY="2")
    run = place.order("waiting:train")
    until(lambda: attempts(place, run) == 1)
    began = place.get(run).started_at
    assert began

    def four_timeouts() -> bool:
        beat = place.get(run).lease_until
        return beat is not None and (beat - began).total_seconds() > 4 + 2

    until(four_timeouts)
    assert attempts(place, run) == 1
    assert "nothing to claim" not in place.log("w1"), "nobody rang again"
    (place.home / "go").touch()
    ended = place.ended(run)
    assert (ended.state, ended.attempt) == (RunState.DONE, 1)
