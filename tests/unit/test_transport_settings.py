"""The settings, flags and versions that keep Celery and APScheduler from being more than a bell and a clock."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from apscheduler.jobstores.memory import MemoryJobStore
from packaging.requirements import Requirement

from controller.adapters.celery.settings import celery_settings
from controller.service.loops.loop import Loop, Loops
from workers.__main__ import celery_arguments
from workers.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
REDIS = celery_settings("redis://localhost")
AMQP = celery_settings("amqp://localhost")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("visibility_timeout", 60),
        ("unacked_restore_interval", 5),
        ("unacked_restore_throttle", 1),
        ("socket_timeout", 10),
        ("socket_connect_timeout", 3),
        ("socket_keepalive", True),
        ("health_check_interval", 10),
    ],
)
def test_what_redis_is_told(option: str, value: object):
    assert REDIS["broker_transport_options"][option] == value


@pytest.mark.parametrize("settings", [REDIS, AMQP], ids=["Redis", "RabbitMQ"])
def test_messages_are_json_and_nothing_else(settings: dict[str, Any]):
    assert settings["accept_content"] == ["json"]
    assert settings["task_serializer"] == "json"
    assert settings["enable_utc"] is True
    assert settings["timezone"] == "UTC"
    assert settings["task_default_queue"] == "incumbent.default"
    assert settings["worker_hijack_root_logger"] is False


def test_a_worker_s_flags():
    settings = WorkerSettings(
        home=Path(), database_url="", broker_url="", artifacts="", code=Path(), name="w1"
    )
    words = celery_arguments(settings)
    assert ("--pool", "prefork") in pairwise(words)
    assert ("-O", "fair") in pairwise(words)
    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(words)


def test_ticks_carry_nothing_and_none_is_dropped():
    """Late ticks become one, no loop runs beside itself, and nothing is kept in a store of APScheduler's own."""
    loops = Loops([Loop(name="a", every=1, run_once=lambda: 0)])
    scheduler = loops._scheduler
    assert scheduler._job_defaults == {
        "coalesce": True,
        "max_instances": 1,
        "misfire_grace_time": None,
    }
    loops.start()
    try:
        assert isinstance(scheduler._jobstores["default"], MemoryJobStore)
        assert str(scheduler.timezone) == "UTC"
    finally:
        loops.stop()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("celery", "5.6.3", "5.7.0"),
        ("kombu", "5.7.0", "5.6.2"),
        ("redis", "8.0.0", "7.3.0"),
        ("APScheduler", "3.11.3", "4.0.0"),
        ("SQLAlchemy", "2.0.58", "2.2.0"),
    ],
)
def test_versions_that_are_known_to_fail_are_kept_out(name: str, good: str, bad: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {r.name: r for r in map(Requirement, project["dependencies"])}
    assert wanted[name].specifier.contains(good)
    assert not wanted[name].specifier.contains(bad, prereleases=True)
