"""The same work on servers named by URL: Valkey or Redis, RabbitMQ with quorum queues, PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from controller.domain.errors import Unavailable
from controller.domain.rules import Comparison, Gate
from controller.domain.runs import Run, RunState
from tests.support.brokers import Server, rabbitmq, valkey
from tests.support.waiting import until
from tests.support.workplace import Workplace, rows_of

WAITS = """
import time
from toy_training import train as fit

def train(run):
    place = run.folder.parent.parent.parent
    (place / ("started-" + run.id)).touch()
    while not (place / "go").exists():
        time.sleep(0.02)
    return fit(run)
"""


@pytest.fixture(params=[valkey, rabbitmq], ids=["Valkey or Redis", "RabbitMQ"])
def server(request: pytest.FixtureRequest, tmp_path: Path):
    make: Callable[[Path], Server] = request.param
    server = make(tmp_path / "server")
    try:
        server.start(120)
        yield server
    finally:
        server.close()


def heard(place: Workplace, run: Run) -> None:
    """Ring as the relay does, until the run has ended: a ring may be refused or lost."""

    def ring() -> bool:
        try:
            place.ring(run)
        except Unavailable:
            return False
        try:
            place.ended(run, seconds=2)
        except AssertionError:
            return False
        return True

    until(ring, seconds=120, pause=0.5)  # the relay backs off too


@pytest.mark.slow
def test_a_broker_by_url_carries_the_doorbell_and_may_die(server: Server, tmp_path: Path):
    place = Workplace.open(tmp_path / "home", broker_url=server.url)
    (place.home / "waiting.py").write_text(WAITS)
    try:
        place.bring(rows_of(0))
        place.start_worker()
        first = place.train()
        assert first.state is RunState.DONE, first.reason

        waiting = place.order("waiting:train")
        until((place.home / f"started-{waiting.id}").exists)
        server.kill()
        queued = place.order(ring=False)
        with pytest.raises(Unavailable, match="does not take messages"):
            for _ in range(3):  # the first may still go into a dead connection's buffer
                place.ring(queued)
        server.start(120)
        (place.home / "go").touch()
        ended = place.ended(waiting)
        assert (ended.state, ended.attempt) == (RunState.DONE, 1)
        heard(place, queued)
        assert place.get(queued).state is RunState.DONE
    finally:
        place.close()


def test_a_broker_that_forgets_everything_costs_a_delay(tmp_path: Path):
    server = valkey(tmp_path / "server")
    server.start()
    place = Workplace.open(tmp_path / "home", broker_url=server.url)
    try:
        place.bring(rows_of(0))
        runs = [place.order() for _ in range(3)]
        client = redis.Redis.from_url(server.url)
        client.flushall()
        client.close()
        place.start_worker()
        for run in runs:
            assert place.get(run).state is RunState.QUEUED
            place.ring(run)
        assert {place.ended(run).state for run in runs} == {RunState.DONE}
        assert {place.get(run).attempt for run in runs} == {1}
    finally:
        place.close()
        server.close()


def test_the_database_may_be_postgresql(tmp_path: Path, postgres_url: str):
    place = Workplace.open(tmp_path / "home", database_url=postgres_url)
    try:
        place.bring(rows_of(0))
        place.start_worker()
        version = place.register(place.train())
        gate = Gate(name="absolute", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0)
        judged = place.evaluate(version, gates=(gate,))
        assert judged.state is RunState.DONE, judged.reason
        assert place.train("toy_training:raises").reason.startswith("training raised ValueError")
    finally:
        place.close()
