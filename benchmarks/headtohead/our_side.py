"""Ours: the real controller and worker on SQLite and a real Valkey, one model an event, the same script of failures.

Counted are versions: results that count. A training that was begun twice and counted once is not doubled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import redis

from benchmarks.headtohead.events import EVENTS, Count, wait
from controller.domain.errors import IncumbentError
from controller.domain.runs import RunKind
from controller.domain.signals import NewSignal, SignalKind
from controller.ports import Query
from tests.chaos.site import Shape, Site

MODELS = tuple(f"m{number:02d}" for number in range(EVENTS))
SHAPE = Shape("head to head", "sqlite", "valkey", 1, 2)

_SHORT = """\
import sys
import controller.adapters.celery.settings as settings
options = settings._redis_options()
settings._redis_options = lambda: options | {"visibility_timeout": 3}
from workers.__main__ import main
sys.exit(main())
"""


def run(folder: Path) -> dict[str, Count]:
    """Every failure, each on an installation of its own."""
    rows: dict[str, Callable[[Site], None]] = {
        "launch fails once": _launch_fails,
        "killed between marking and launching": _killed_between,
        "broker loses its messages": _flushed,
        "outlives the visibility timeout": _outlives,
        "restart with triggers in flight": _restarted,
    }
    return {name: _row(folder / f"row-{n}", rows[name]) for n, name in enumerate(rows)}


def _row(folder: Path, play: Callable[[Site], None]) -> Count:
    with Site(SHAPE, folder, MODELS) as site:
        if not wait(lambda: _quiet(site, 1), 120):  # the first file of each model trains it once
            raise RuntimeError("the installation does not begin to work")
        play(site)
        wait(lambda: _quiet(site, 2), 240)
        return _count(site)


def _quiet(site: Site, versions: int) -> bool:
    """Whether nothing is under way and every model has had its events answered."""
    try:
        store = site.store()
        try:
            with store.read() as tx:
                busy = tx.runs.find(Query(states=("queued", "running"), limit=1))
                waits = tx.signals.find(Query(states=("open", "deferred"), limit=1))
                enough = all(len(tx.registry.versions(m)) >= versions for m in MODELS)
                return enough and not busy and not waits
        finally:
            store.close()
    except IncumbentError:
        return False


def _count(site: Site) -> Count:
    store = site.store()
    try:
        with store.read() as tx:
            runs = tx.runs.find(Query(kinds=(RunKind.TRAIN,), limit=10_000))
            events = {s.id for s in tx.signals.find(Query(limit=10_000)) if s.kind == "webhook"}
            counted = Counter(v.run for model in MODELS for v in tx.registry.versions(model))
    finally:
        store.close()
    results: Counter[int] = Counter()
    for run in runs:
        for number in {n for cause in run.spec.causes for n in cause.signals} & events:
            results[number] += counted[run.id]
    return Count(
        lost=EVENTS - len(events) + sum(results[e] == 0 for e in events),
        doubled=sum(results[e] > 1 for e in events),
    )


def _tell(site: Site, models: tuple[str, ...] = MODELS, pause: float = 0.05) -> None:
    store = site.store()
    try:
        for model in models:
            now = datetime.now(UTC)
            event = NewSignal(
                key=f"event:{model}",
                model=model,
                kind=SignalKind.WEBHOOK,
                occurred_at=now,
                payload={"type": "chaos"},
                actor="webhook:bench",
            )
            with store.begin() as tx:
                tx.signals.append([event], now)
            time.sleep(pause)
    finally:
        store.close()


def _kill_controller(site: Site) -> None:
    one = site.controllers()[0]
    if one.process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)


def _launch_fails(site: Site) -> None:
    assert site.broker is not None
    site.broker.kill()
    _tell(site)
    time.sleep(3)
    site.broker.start()


def _killed_between(site: Site) -> None:
    """There is no "between": so it is killed right after each of two events, and once more while it starts."""
    for number, model in enumerate(MODELS):
        _tell(site, (model,))
        if number in {2, 6}:
            _kill_controller(site)
            time.sleep(0.3)
            _kill_controller(site)


def _flushed(site: Site) -> None:
    assert site.broker is not None
    for worker in site.workers():
        for process in worker.family():
            process.suspend()
    _tell(site)
    wait(lambda: _ordered(site), 30)
    with redis.Redis.from_url(site.broker.url) as client:
        client.flushall()
    for worker in site.workers():
        for process in worker.family():
            process.resume()


def _ordered(site: Site) -> bool:
    store = site.store()
    try:
        with store.read() as tx:
            return len(tx.runs.find(Query(kinds=(RunKind.TRAIN,), limit=10_000))) >= 2 * EVENTS
    finally:
        store.close()


def _outlives(site: Site) -> None:
    """Workers with the same short visibility timeout, and a training that takes as long."""
    model = site.folder / "chaos_model.py"
    model.write_text(model.read_text().replace("random() * 0.4", "random() * 0 + 12"))
    for worker in site.workers():
        worker.command = [worker.command[0], "-c", _SHORT]
        for process in worker.family()[:1]:
            process.kill()
    time.sleep(1)
    _tell(site)


def _restarted(site: Site) -> None:
    half = EVENTS // 2
    _tell(site, MODELS[:half], 0.2)
    _kill_controller(site)
    _tell(site, MODELS[half:])
