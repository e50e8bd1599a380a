"""RabbitMQ that is killed right after a quorum queue's first declaration comes back unable to serve that queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from kombu import Connection

from controller.adapters.celery import CeleryDispatcher
from controller.adapters.celery.settings import declare_queue
from controller.domain.errors import Unavailable
from controller.domain.runs import RunState
from tests.support.brokers import Server, rabbitmq
from tests.support.waiting import until
from tests.support.workplace import Workplace, rows_of

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.long


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = rabbitmq(tmp_path / "server")
    try:
        server.start(180)
        yield server
    finally:
        server.close()


def heard(server: Server) -> list[str]:
    """The runs that are rung for in the default queue."""
    found = []
    with Connection(server.url) as connection:
        simple = connection.SimpleQueue(declare_queue("default", server.url))
        with suppress(simple.Empty):
            while True:
                message = simple.get(timeout=2)
                found.append(message.payload[0][0])
                message.ack()
        simple.close()
    return found


def test_a_queue_without_a_leader_is_said_and_made_anew(server: Server):
    dispatcher, said = CeleryDispatcher(server.url, patience=4), set[str]()

    def rings(run: str, queue: str = "default") -> bool:
        try:
            dispatcher.ring(run, 0, queue=queue, expires=HOUR)
        except Unavailable as error:
            said.add(error.sentence())
            return False
        return True

    assert rings("lost")
    server.kill()
    server.start(180)
    until(lambda: rings("other", "gpu"))
    until(lambda: rings("a.r1"), 120, words=lambda: f"it never rang again: {said}")
    dispatcher.close()
    if not any("has no leader" in one for one in said):
        pytest.skip("this time RabbitMQ brought its queue back whole")
    assert any("was declared anew" in one for one in said)
    assert heard(server) == ["a.r1"]


def test_a_worker_hears_again_once_its_queue_was_made_anew(server: Server, tmp_path: Path):
    place = Workplace.open(tmp_path / "home", broker_url=server.url)
    try:
        place.bring(rows_of(0))
        place.start_worker()  # it declares the queue
        server.kill()
        server.start(180)
        run = place.order(ring=False)

        def trained() -> bool:
            with suppress(Unavailable):
                place.ring(run)
            return place.get(run).state is RunState.DONE

        until(trained, 240, pause=2)
    finally:
        place.close()
