"""A clock that is set an hour back or a year forward, and back again: nothing fires twice, and nothing stops."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import ClassVar

import apscheduler.schedulers.base
import pytest

from controller.adapters.clock_file import keep_jump, last_jump
from controller.domain.signals import SignalKind
from controller.policy.triggers import NewDataTrigger, ScheduleTrigger
from controller.ports import ClockJump, Query
from controller.service.loops import loop as loops_module
from controller.service.loops.clock_jumps import ClockWatch, NoteClockJumps
from controller.service.loops.fire_schedules import FireSchedules
from controller.service.loops.loop import Loop, Loops
from controller.service.loops.readiness import Watched, conditions, ready
from controller.service.loops.rescue_runs import RescueConfig, Rescuer
from tests.support.house import MODEL, House, policy
from tests.support.makers import AT, MINUTE, order
from tests.support.stores import Bench

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
DATA = NewDataTrigger(name="new_data", rows=20_000)
CRON = ScheduleTrigger(name="hourly", cron="0 * * * *", timezone="Europe/Berlin")
EVERY = ScheduleTrigger(name="hourly", every=HOUR)
PATIENCE = 20.0


def fired(house: House) -> list[str]:
    kinds = (SignalKind.SCHEDULE.value,)
    with house.store.read() as tx:
        return [s.payload["due"] for s in reversed(tx.signals.find(Query(kinds=kinds, limit=1000)))]


@pytest.mark.parametrize("trigger", [CRON, EVERY], ids=["cron", "every"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "started anew"])
def test_a_year_forward_and_back_again_goes_on_as_before(trigger, restarts: bool):
    house = House(policy(triggers=(trigger, DATA)))
    service = FireSchedules(house.store, house.clock, house.parse)

    def step() -> int:
        nonlocal service
        if restarts:
            service = FireSchedules(house.store, house.clock, house.parse)
        return service.run_once().fired

    step()
    house.clock.advance(HOUR)
    assert step() == 1
    before = house.clock.now()
    house.clock.set(before + YEAR)
    assert step() == 1, "a year passed, it seems: it catches up once"
    house.clock.set(before + timedelta(minutes=1))
    assert step() == 0
    seen = len(fired(house))
    for _ in range(3):
        house.clock.advance(HOUR)
        assert step() == 1
    assert len(set(fired(house))) == len(fired(house)) == seen + 3


@pytest.mark.parametrize("trigger", [CRON, EVERY], ids=["cron", "every"])
def test_an_hour_back_fires_nothing_twice(trigger):
    house = House(policy(triggers=(trigger, DATA)))
    service = FireSchedules(house.store, house.clock, house.parse)
    service.run_once()
    for _ in range(3):
        house.clock.advance(HOUR)
        service.run_once()
    count = len(fired(house))
    house.clock.advance(-HOUR)
    for _ in range(59):
        service.run_once()
        house.clock.advance(MINUTE)
    assert len(fired(house)) == count, "an hour that is lived twice"
    house.clock.advance(HOUR + MINUTE)
    service.run_once()
    assert len(fired(house)) > count


def test_a_successor_whose_clock_is_behind_fires_nothing_twice():
    house = House(policy(triggers=(CRON, DATA)))
    ahead = FireSchedules(house.store, house.clock, house.parse)
    ahead.run_once()
    house.clock.advance(HOUR)
    assert ahead.run_once().fired == 1
    house.clock.advance(timedelta(seconds=-5))
    behind = FireSchedules(house.store, house.clock, house.parse)
    assert behind.run_once().fired == 0
    house.clock.advance(timedelta(seconds=10))
    assert behind.run_once().fired == 0
    house.clock.advance(HOUR)
    assert behind.run_once().fired == 1


class Wall(datetime):
    """The machine's wall clock, which somebody sets."""

    offset: ClassVar[timedelta] = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz or UTC) + cls.offset


@pytest.mark.parametrize("jump", [-HOUR, YEAR], ids=["an hour back", "a year forward"])
def test_the_loops_go_on_when_the_wall_clock_is_set(jump, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Wall)
    monkeypatch.setattr(loops_module, "datetime", Wall)
    monkeypatch.setattr(loops_module, "_WATCH", 0.05)
    monkeypatch.setattr(Wall, "offset", timedelta(0))
    rounds = threading.Semaphore(0)

    def once() -> int:
        rounds.release()
        return 0

    loops = Loops([Loop(name="beat", every=0.02, run_once=once)])
    loops.start()
    try:
        for _ in range(3):
            assert rounds.acquire(timeout=PATIENCE)
        monkeypatch.setattr(Wall, "offset", jump)
        for _ in range(20):
            assert rounds.acquire(timeout=PATIENCE)
    finally:
        loops.stop()


class Machine:
    """Its two clocks."""

    def __init__(self) -> None:
        self.wall = self.monotonic = 1000.0

    def later(self, seconds: float, *, asleep: float = 0.0) -> None:
        self.wall += seconds + asleep
        self.monotonic += seconds


@pytest.mark.parametrize(
    ("seconds", "counted", "said"),
    [
        (-3600.0, "clock_jumps_back", "went 1h back at"),
        (366 * 86_400 + 61.0, "clock_jumps_ahead", "went 366d1m1s ahead at"),
    ],
)
def test_a_jump_is_counted_and_said(
    bench: Bench, tmp_path: Path, seconds: float, counted: str, said: str
):
    machine = Machine()
    watch = ClockWatch(lambda: machine.wall, lambda: machine.monotonic)
    service = NoteClockJumps(bench.store, partial(keep_jump, tmp_path), watch)
    machine.later(60, asleep=1)
    assert service.run_once() == 0, "a slow correction is no jump"
    assert last_jump(tmp_path) is None
    machine.later(1, asleep=seconds)
    assert service.run_once() == 1
    assert service.run_once() == 0
    with bench.store.read() as tx:
        assert dict(tx.counters.all()) == {counted: 1}
    watched = Watched(store=bench.store, jump=lambda: last_jump(tmp_path))
    found = conditions(watched)
    [clock] = [one for one in found if one.name == "clock"]
    assert said in clock.sentence
    assert ready(found)
    old = ClockJump(at=datetime.now(UTC) - timedelta(hours=2), seconds=seconds)
    keep_jump(tmp_path, old)
    assert "clock" not in {one.name for one in conditions(watched)}, "it is no news any more"


def test_a_note_of_a_jump_that_cannot_be_read_is_none(tmp_path: Path):
    for text in ("", "[]", "{", '{"at": 1, "seconds": 2}', '{"at": "x", "seconds": "y"}', "\x00"):
        (tmp_path / "clock.json").write_text(text)
        assert last_jump(tmp_path) is None


def test_after_a_jump_workers_may_speak_before_they_are_given_up(bench: Bench):
    """The machine slept, or its clock was set: every lease seems to have run out."""
    machine = Machine()
    config = RescueConfig(lease=60, wall=lambda: machine.wall, timer=lambda: machine.monotonic)
    rescuer = Rescuer(bench.store, bench.clock, config)
    with bench.store.begin() as tx:
        order(tx)
        run = tx.runs.claim(f"{MODEL}.r1", 0, worker="w", lease=MINUTE)
    assert run
    bench.pass_time(timedelta(hours=8))
    machine.later(1, asleep=8 * 3600)
    assert rescuer.run_once().requeued == 0
    with bench.store.begin() as tx:
        assert tx.runs.heartbeat(run.id, run.fence, lease=MINUTE).valid, "it was only asleep too"
    machine.later(61)
    assert rescuer.run_once().requeued == 0
    bench.pass_time(2 * MINUTE)
    assert rescuer.run_once().requeued == 1, "now it is silent"


def test_a_clock_that_is_set_back_takes_no_run_from_who_works(bench: Bench):
    """Its lease seems to come from a future that no lease reaches, until its next heartbeat."""
    machine = Machine()
    config = RescueConfig(lease=60, wall=lambda: machine.wall, timer=lambda: machine.monotonic)
    rescuer = Rescuer(bench.store, bench.clock, config)
    with bench.store.begin() as tx:
        order(tx)
        run = tx.runs.claim(f"{MODEL}.r1", 0, worker="w", lease=DAY + MINUTE)
    assert run
    machine.later(1, asleep=-86_400.0)
    assert rescuer.run_once().requeued == 0
    with bench.store.begin() as tx:
        assert tx.runs.heartbeat(run.id, run.fence, lease=MINUTE).valid
    machine.later(61)
    assert rescuer.run_once().requeued == 0
    bench.pass_time(2 * MINUTE)
    assert rescuer.run_once().requeued == 1, "now it is silent"


def test_a_lease_from_the_far_future_is_of_a_wrong_clock(bench: Bench):
    """A worker claimed while the clock was a year ahead, and died; the clock is right again."""
    with bench.store.begin() as tx:
        order(tx)
        tx.runs.claim(f"{MODEL}.r1", 0, worker="w", lease=YEAR)
        tx.leases.acquire("controller", "dead", YEAR)
        tx.outbox.put("run", "x", {"run": "x"})
        (letter,) = tx.outbox.due("run")
        tx.outbox.postpone(letter.id, YEAR)
    with bench.store.begin() as tx:
        assert [run.fence for run in tx.runs.reclaim(at=AT)] == [2]
        assert tx.leases.holder("controller") is None
        lease = tx.leases.acquire("controller", "alive", MINUTE)
        assert lease
        assert lease.fence == 2
        assert [due.id for due in tx.outbox.due("run")] == [letter.id]
