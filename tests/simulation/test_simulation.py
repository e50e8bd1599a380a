"""The whole system under faults, seed by seed; and proof that this simulation can see.

`make simulate SEEDS=10000` runs more of them.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.shrinking import WORLDS, play, shrink
from tests.simulation.world import World
from tests.support.stores import ServerStore

STEPS = 120
SEEDS = range(160)
CHUNK = 20


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture):
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize(
    "first", SEEDS[::CHUNK], ids=[f"seeds {n} to {n + CHUNK - 1}" for n in SEEDS[::CHUNK]]
)
def test_nothing_is_lost_and_nothing_happens_twice(first: int):
    for seed in range(first, first + CHUNK):
        failure = play(seed, STEPS)
        assert failure is None, str(shrink(failure))


@pytest.mark.parametrize("first", range(0, 12, 6))
def test_nonsense_and_floods_are_answered_and_keep_nobody_waiting(first: int):
    for seed in range(first, first + 6):
        failure = play(seed, STEPS, "strange")
        assert failure is None, str(shrink(failure))


def test_the_same_on_the_sql_adapters():
    failure = play(3, 40, "sqlite")
    assert failure is None, str(shrink(failure))


@pytest.mark.long
def test_the_same_on_the_sql_adapters_for_longer():
    for seed in range(10):
        failure = play(seed, STEPS, "sqlite")
        assert failure is None, str(shrink(failure))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_the_same_on_postgresql(postgres_url: str, seed: int, monkeypatch: pytest.MonkeyPatch):
    make = partial(
        World, strange=True, checked_every=10, opens=lambda wall: ServerStore(postgres_url, wall)
    )
    monkeypatch.setitem(WORLDS, "postgresql", make)
    failure = play(seed, 60, "postgresql")
    assert failure is None, str(failure)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.name for m in MUTATIONS])
def test_a_guard_that_is_taken_away_is_missed(mutation: Mutation):
    with mutation.planted():
        found = next((f for seed in range(mutation.first, 1000) if (f := play(seed, STEPS))), None)
    assert found is not None


def test_a_seed_decides_everything():
    first, second = World(7), World(7)
    first.run(range(STEPS))
    second.run(range(STEPS))
    assert first.history == second.history


def test_the_faults_do_strike():
    told: list[str] = []
    for seed in range(10):
        world = World(seed)
        world.run(range(STEPS))
        told += world.history
    for event in ("crash", "freezes", "fenced", "forgets everything", "rollback", "promote"):
        assert any(event in line for line in told), event


def test_a_failure_is_shrunk_to_the_steps_that_it_takes_and_replayed():
    mutation = next(m for m in MUTATIONS if m.name == "signals without keys")
    with mutation.planted():
        found = next(f for seed in range(1000) if (f := play(seed, STEPS)))
        shrunk = shrink(found)
        assert len(shrunk.steps) < 10
        assert play(shrunk.seed, shrunk.steps) == shrunk
    assert play(shrunk.seed, shrunk.steps) is None
    assert shrunk.replay in str(shrunk)
