"""Somebody sets the clock under a running installation, and sets it right again: see docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from controller.domain.canonical import parse_time
from controller.domain.signals import SignalStatus
from controller.ports import Query
from tests.support.clocks import SetClock
from tests.support.installation import POLICY, Installation
from tests.support.waiting import until

EVERY = timedelta(seconds=10)
LONG = 240.0
MINUTE = timedelta(minutes=1)
JUMPS = {
    "an hour back": (timedelta(hours=-1), "went 1h back"),
    "an hour forward": (timedelta(hours=1), "went 1h ahead"),
    "a year forward": (timedelta(days=365), "went 365d ahead"),
    "a day back": (timedelta(days=-1), "went 1d back"),
}


@pytest.fixture
def clock(tmp_path: Path) -> SetClock:
    return SetClock.made(tmp_path / "clock")


@pytest.fixture
def house(tmp_path: Path, clock: SetClock) -> Iterator[Installation]:
    """Its trainings take longer than its clock needs to be set, and less than a lease."""
    settings = {"TOY_SECONDS": "6", "INCUMBENT_LEASE": "20", **clock.environment}
    held = Installation(tmp_path, settings)
    text = POLICY.replace("triggers:\n", "triggers:\n  - schedule: {every: 10s}\n")
    (tmp_path / "rules" / "toy.yaml").write_text(text)
    yield held
    held.close()


def dues(house: Installation) -> list[datetime]:
    """The due times that have fired, in the order in which they did."""
    with house.store() as store, store.read() as tx:
        found = tx.signals.find(Query(kinds=("schedule",), limit=1000))
    return [parse_time(signal.payload["due"]) for signal in reversed(found)]


def fires(house: Installation, times: int) -> None:
    """Wait until it has fired so often again."""
    before = len(dues(house))
    until(lambda: len(dues(house)) >= before + times, LONG, pause=0.5)


def is_taken(house: Installation, number: int) -> bool:
    """The signal has its training, or waits for the one at work to end."""
    with house.store() as store, store.read() as tx:
        signal = tx.signals.get(number)
    return signal is not None and signal.status is not SignalStatus.OPEN


@pytest.mark.long
@pytest.mark.parametrize("name", JUMPS)
def test_a_clock_that_is_set_costs_nothing_and_is_said(
    house: Installation, clock: SetClock, name: str
):
    jump, said = JUMPS[name]
    up = house.launch("up").says("incumbent is up")
    told = [house.signal("before")]
    until(lambda: any(run.state.value == "running" for run in house.runs()), LONG)
    fires(house, 1)

    clock.set(int(jump.total_seconds()))  # a training runs, its lease is held, a schedule is due
    told.append(house.signal("meanwhile"))
    fires(house, 2)
    done = house.run("doctor", "--only", "limits")
    assert said in " ".join(done.stdout.split()), done.stdout + up.said()
    assert "clock jumps" in house.run("status").stdout
    clock.set(0)
    told.append(house.signal("after"))
    fires(house, 2)

    until(lambda: all(is_taken(house, number) for number in told), LONG)
    found = dues(house)
    assert len({*found}) == len(found), "a due time fired twice"
    gaps = [later - earlier for earlier, later in pairwise(sorted(found))]
    assert min(gaps) >= EVERY, found
    now = datetime.now(UTC)
    skipped = [due for due in found if now + MINUTE < due < now + jump - 10 * MINUTE]
    assert skipped == [], "a storm"
    runs = [run for run in house.runs() if run.spec.kind.value == "train"]
    causes = [number for run in runs for cause in run.spec.causes for number in cause.signals]
    assert len({*causes}) == len(causes), "a signal was trained for twice"
    assert {run.tries for run in runs} <= {0, 1}, f"a lease was fooled: {up.said()}"
    assert up.stop() == 0
    assert "Traceback" not in up.said()
