"""What every broker must do for the doorbell: the embedded Valkey, Valkey or Redis by URL, RabbitMQ's quorum queues."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from controller.adapters.celery import CeleryDispatcher, EmbeddedBroker
from controller.adapters.celery.settings import declare_queue, queue_name
from controller.domain.errors import Unavailable
from tests.support.brokers import rabbitmq, valkey
from tests.support.waiting import until

HOUR = timedelta(hours=1)


@dataclass
class Broker:
    """A running broker; ``kill`` is kill -9, and ``back`` brings it up again."""

    url: str
    kill: Callable[[], None]
    back: Callable[[], None]


def _embedded(folder: Path) -> Iterator[Broker]:
    with EmbeddedBroker(folder / "home") as held:

        def kill() -> None:
            process = held._process
            assert process
            process.kill()
            process.wait()

        yield Broker(held.url, kill, lambda: until(lambda: held.pid is not None))


def _server(make: Callable[[Path], Any], folder: Path) -> Iterator[Broker]:
    held = make(folder / "server")
    try:
        held.start(120)
        yield Broker(held.url, held.kill, lambda: held.start(120))
    finally:
        held.close()


@pytest.fixture(
    params=[
        "embedded",
        "Valkey or Redis",
        pytest.param("RabbitMQ", marks=pytest.mark.long),
    ]
)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    if request.param == "embedded":
        yield from _embedded(tmp_path)
    else:
        yield from _server(rabbitmq if request.param == "RabbitMQ" else valkey, tmp_path)


@pytest.fixture
def dispatcher(broker: Broker) -> Iterator[CeleryDispatcher]:
    held = CeleryDispatcher(broker.url, patience=4)
    yield held
    held.close()


def heard(broker: Broker, queue: str = "default", *, least: int = 0) -> list[tuple[str, int]]:
    """Take what waits; where something must come, wait for it."""
    found: list[tuple[str, int]] = []
    deadline = time.monotonic() + 30
    with Connection(broker.url) as connection:
        simple = connection.SimpleQueue(declare_queue(queue, broker.url))
        while len(found) < least or not found:
            with suppress(simple.Empty):
                while True:
                    message = simple.get(block=least > 0, timeout=1)
                    assert message.headers["incumbent_protocol"] == 1
                    found.append(tuple(message.payload[0]))
                    message.ack()
                    if len(found) >= least > 0:
                        break
            if least == 0 or time.monotonic() > deadline:
                break
        simple.close()
    return found


def test_what_is_rung_is_heard_in_its_queue_and_no_other(
    broker: Broker, dispatcher: CeleryDispatcher
):
    dispatcher.ring("a.r1", 0, queue="default", expires=HOUR)
    dispatcher.ring("a.r2", 3, queue="gpu", expires=HOUR)
    dispatcher.ring("a.r1", 0, queue="default", expires=HOUR)
    assert heard(broker, least=2) == [("a.r1", 0), ("a.r1", 0)]
    assert heard(broker, "gpu", least=1) == [("a.r2", 3)]
    assert heard(broker) == []


def test_a_broker_that_was_killed_is_told_and_rung_again(
    broker: Broker, dispatcher: CeleryDispatcher
):
    dispatcher.ring("a.r1", 0, queue="default", expires=HOUR)
    broker.kill()
    broker.back()

    def rings() -> bool:
        try:
            dispatcher.ring("a.r2", 1, queue="default", expires=HOUR)
        except Unavailable:
            return False
        return True

    until(rings, 120)
    assert ("a.r2", 1) in heard(broker, least=1) + heard(broker)


def test_queues_have_our_prefix(broker: Broker, dispatcher: CeleryDispatcher):
    dispatcher.ring("a.r1", 0, queue="default", expires=HOUR)
    assert queue_name("default") == "incumbent.default"
    assert heard(broker, least=1) == [("a.r1", 0)]


def test_many_rings_are_all_heard_and_in_order(broker: Broker, dispatcher: CeleryDispatcher):
    for number in range(200):
        dispatcher.ring(f"a.r{number}", 0, queue="default", expires=HOUR)
    assert heard(broker, least=200) == [(f"a.r{number}", 0) for number in range(200)]


def test_a_broker_that_is_not_there_is_one_sentence_without_a_password(broker: Broker):
    scheme = broker.url.partition("+")[0].partition(":")[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"{scheme}://user:secret@127.0.0.1:{free.getsockname()[1]}/"
    held = CeleryDispatcher(url)
    with pytest.raises(Unavailable, match="does not take messages") as said:
        held.ring("a.r1", 0, queue="default", expires=HOUR)
    assert "secret" not in said.value.sentence()
    held.close()
