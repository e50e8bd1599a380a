"""Two sessions at once on one database: one wins, the other hears of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from controller.domain.errors import Conflict
from controller.domain.runs import RunState
from controller.domain.versions import VersionState, fold
from controller.ports import RunEnd, Store
from tests.support.chain import find_break
from tests.support.makers import AT, HOUR, MODEL, batch, decide, enter, new_signal, order, seat
from tests.support.racers import promoters, race
from tests.support.stores import Bench

ROUNDS = 15
LEASE = timedelta(minutes=1)


@pytest.fixture
def two(database: Bench) -> list[Store]:
    """The same database twice."""
    return [database.store, database.again()]


def test_one_of_two_promoters_wins(database: Bench, two: list[Store]):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, 2 * ROUNDS + 2):
            enter(tx, number, decision=decision)
        seat(tx, 1)
    for played in range(ROUNDS):
        with database.store.read() as tx:
            seen = tx.models.state(MODEL)
        previous = seen.champion

        def promote(
            store: Store, lane: int, played: int = played, previous: int | None = previous
        ) -> bool:
            with suppress(Conflict), store.begin() as tx:
                number = 2 + 2 * played + lane
                seat(tx, number, generation=1 + played, previous=previous, decision=decide(tx))
                return True
            return False

        assert sorted(race(two, promote)) == [False, True]
    with database.store.read() as tx:
        assert tx.models.state(MODEL).generation == ROUNDS + 1
        versions = tx.registry.versions(MODEL)
        assert [v.state for v in versions].count(VersionState.CHAMPION) == 1
        assert fold(tx.facts.of(MODEL)) == {(MODEL, v.number): v.state for v in versions}
        records = list(tx.decisions.walk())
        assert find_break(records, tx.decisions.head()) is None
        # What lost left nothing, not even its decision.
        assert len(records) == 1 + ROUNDS


def test_processes_that_promote_without_end(database: Bench):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, 61):
            enter(tx, number, decision=decision)
    won = promoters(database.url, [list(range(1, 31)), list(range(31, 61))])
    assert sorted(won[0] + won[1]) == list(range(1, 61))
    with database.store.read() as tx:
        reigns = tx.registry.history(MODEL, limit=100)
        assert [r.generation for r in reigns] == list(range(60, 0, -1))
        assert sorted(r.version for r in reigns) == list(range(1, 61))
        assert find_break(tx.decisions.walk(), tx.decisions.head()) is None
        champions = tx.registry.versions(MODEL, states=[VersionState.CHAMPION])
        assert [v.number for v in champions] == [reigns[0].version]


def test_one_of_two_workers_wins_the_claim(database: Bench, two: list[Store]):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, ROUNDS + 1):
            order(tx, number, decision=decision)

    for number in range(1, ROUNDS + 1):

        def claim(store: Store, lane: int, number: int = number) -> bool:
            with store.begin() as tx:
                return (
                    tx.runs.claim(f"{MODEL}.r{number}", 0, worker=f"w{lane}", lease=LEASE)
                    is not None
                )

        assert sorted(race(two, claim)) == [False, True]


def test_finishing_and_taking_back_exclude_each_other(database: Bench, two: list[Store]):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, ROUNDS + 1):
            order(tx, number, decision=decision)
            tx.runs.claim(f"{MODEL}.r{number}", 0, worker="w", lease=LEASE)
    database.pass_time(2 * LEASE)
    for number in range(1, ROUNDS + 1):
        run = f"{MODEL}.r{number}"

        def act(store: Store, lane: int, run: str = run) -> bool:
            with store.begin() as tx:
                if lane == 0:
                    return tx.runs.finish(run, 1, RunEnd(state=RunState.DONE), at=AT)
                return run in [back.id for back in tx.runs.reclaim(at=AT)]

        finished, _ = race(two, act)
        with database.store.read() as tx:
            found = tx.runs.get(run)
            assert found is not None
            assert found.state is (RunState.DONE if finished else RunState.QUEUED)
            assert bool(tx.signals.with_key(MODEL, f"run:{run}:done")) is finished


def test_two_rescuers_take_back_each_run_once(database: Bench, two: list[Store]):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, ROUNDS + 1):
            order(tx, number, decision=decision)
            tx.runs.claim(f"{MODEL}.r{number}", 0, worker="w", lease=LEASE)
    database.pass_time(2 * LEASE)

    def reclaim(store: Store, lane: int) -> list[int]:
        with store.begin() as tx:
            return [run.number for run in tx.runs.reclaim(at=AT)]

    one, other = race(two, reclaim)
    assert sorted(one + other) == list(range(1, ROUNDS + 1))
    with database.store.read() as tx:
        assert {tx.runs.get(f"{MODEL}.r{n}").fence for n in range(1, ROUNDS + 1)} == {2}  # type: ignore[union-attr]


def test_one_of_two_controllers_gets_the_lease(database: Bench, two: list[Store]):
    for played in range(ROUNDS):

        def acquire(store: Store, lane: int, played: int = played) -> bool:
            with store.begin() as tx:
                return tx.leases.acquire(f"model:{played}", f"c{lane}", LEASE) is not None

        assert sorted(race(two, acquire)) == [False, True]


def test_a_lease_that_ran_out_goes_to_one_of_two(database: Bench, two: list[Store]):
    for played in range(ROUNDS):

        def acquire(store: Store, lane: int, played: int = played) -> bool:
            with store.begin() as tx:
                return tx.leases.acquire("model:m", f"c{played}-{lane}", LEASE) is not None

        assert sorted(race(two, acquire)) == [False, True]
        database.pass_time(2 * LEASE)


def test_the_same_signals_from_two_sources_are_entered_once(database: Bench, two: list[Store]):
    def ingest(store: Store, lane: int) -> int:
        fresh = 0
        for n in range(ROUNDS):
            with store.begin() as tx:
                accepted = tx.signals.append([new_signal(f"{n}-{k}") for k in range(5)], AT)
            fresh += sum(a.fresh for a in accepted)
        return fresh

    assert sum(race(two, ingest)) == 5 * ROUNDS
    with database.store.read() as tx:
        assert tx.signals.count_waiting() == 5 * ROUNDS


def test_numbers_of_versions_are_given_once(database: Bench, two: list[Store]):
    with database.store.begin() as tx:
        decision = decide(tx)
    for number in range(1, ROUNDS + 1):

        def register(store: Store, lane: int, number: int = number) -> bool:
            with suppress(Conflict), store.begin() as tx:
                enter(tx, number, decision=decision)
                return True
            return False

        assert sorted(race(two, register)) == [False, True]


def test_batches_of_two_pollers_are_numbered_once(database: Bench, two: list[Store]):
    def poll(store: Store, lane: int) -> list[int]:
        with store.begin() as tx:
            added = tx.data.add(MODEL, [batch(f"{n}", "d") for n in range(ROUNDS)], AT)
            return [b.sequence for b in added]

    one, other = race(two, poll)
    assert sorted(one + other) == list(range(1, ROUNDS + 1))


def test_a_takeover_waits_for_who_has_checked(database: Bench, two: list[Store]):
    """Between the check of a lease and the commit nobody else can take it, even if it runs out."""
    if database.kind == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with database.store.begin() as tx:
        lease = tx.leases.acquire("model:m", "me", HOUR)
        assert lease is not None
    with database.store.begin() as tx:
        tx.leases.check(lease)
        with pytest.raises(Exception, match="lock timeout"):
            database.sql("SET lock_timeout = '50ms'; UPDATE leases SET owner = 'you', fence = 2")
        tx.leases.check(lease)
