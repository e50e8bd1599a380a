"""Many processes promote at once and are killed at random: 1,000 promotions, and no acknowledged one is lost.

Each process reads in one transaction and writes in another, so that its view is often stale; who loses decides anew. A
promotion is written into the process's own ledger after its commit was acknowledged, so the ledger is what clients saw.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from controller.adapters.sql.store import SqlStore
from controller.domain.errors import Conflict
from controller.domain.versions import VersionState
from tests.support.chain import find_break
from tests.support.makers import MODEL, decide, enter, seat
from tests.support.stores import Bench

LANES, ROUNDS, KILLS = 4, 1000, 60
PATIENCE = 400.0


def promote(url: str, lane: int, ledger: Path) -> None:
    """Seat every version of the lane that has not sat yet; one line in the ledger for each that was acknowledged."""
    store = SqlStore(url)
    with store.read() as tx:
        seated = {reign.version for reign in tx.registry.history(MODEL, 10_000)}
    with ledger.open("a", encoding="ascii") as acknowledged:
        for version in range(lane, ROUNDS + 1, LANES):
            while version not in seated:
                with store.read() as tx:
                    seen = tx.models.state(MODEL)
                try:
                    with store.begin() as tx:
                        won = seat(
                            tx, version, generation=seen.generation, previous=seen.champion,
                            decision=decide(tx),
                        )  # fmt: skip
                except Conflict:
                    continue
                acknowledged.write(f"{won} {version}\n")
                acknowledged.flush()
                break


def start(url: str, lane: int, ledger: Path) -> int:
    child = os.fork()
    if child == 0:
        code = 3
        try:
            promote(url, lane, ledger)
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.long
def test_a_thousand_promotions_by_processes_that_are_killed(database: Bench, tmp_path: Path):
    with database.store.begin() as tx:
        decision = decide(tx)
        for number in range(1, ROUNDS + 1):
            enter(tx, number, decision=decision)
    rng, ledger, killed = random.Random(7), tmp_path / "ledger", 0
    running = {start(database.url, lane, ledger): lane for lane in range(1, LANES + 1)}
    deadline = time.monotonic() + PATIENCE
    while running and time.monotonic() < deadline:
        done, status = os.waitpid(-1, os.WNOHANG)
        if done in running:
            lane, code = running.pop(done), os.waitstatus_to_exitcode(status)
            assert code in {0, -signal.SIGKILL}
            if code:
                running[start(database.url, lane, ledger)] = lane
        elif killed < KILLS and rng.random() < 0.2:
            os.kill(rng.choice(sorted(running)), signal.SIGKILL)
            killed += 1
        else:
            time.sleep(rng.random() * 0.05)
    for child in running:
        os.kill(child, signal.SIGKILL)
    assert not running, "not all were promoted in time"
    assert killed > KILLS / 4
    told = [line.split() for line in ledger.read_text(encoding="ascii").splitlines()]
    with database.store.read() as tx:
        reigns = tx.registry.history(MODEL, 10_000)
        champions = tx.registry.versions(MODEL, states=[VersionState.CHAMPION])
        assert find_break(tx.decisions.walk(), tx.decisions.head()) is None
    by_generation = {reign.generation: reign.version for reign in reigns}
    assert sorted(by_generation) == list(range(1, ROUNDS + 1))
    assert sorted(by_generation.values()) == list(range(1, ROUNDS + 1))
    assert [v.number for v in champions] == [by_generation[ROUNDS]]
    lost = [(g, v) for g, v in told if by_generation.get(int(g)) != int(v)]
    assert lost == [], "an acknowledged promotion is not in the history"
    print(f"{ROUNDS} promotions, {killed} kills, {len(told)} acknowledged, 0 lost")
