"""The hand-written memory store beside the SQL adapters on SQLite in memory: where each is used, in one run.

Seconds are those of the processor, so that a busy machine slows both alike. SEEDS=4 and WEEKS=60 set the size.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.adapters.memory import MemoryStore
from controller.adapters.sql.store import SqlStore
from controller.ports import Clock
from controller.rulefmt.series import read_rows
from controller.service.replay.backtest import run_backtest
from tests.simulation.world import World
from tests.support.house import FAILS, PASSES, House, policy
from tests.support.inflow import machine

SEEDS = int(os.environ.get("SEEDS", "4"))
WEEKS = int(os.environ.get("WEEKS", "60"))
STEPS = 60
Opens = Callable[[Clock | None], Any]
STORES: dict[str, Opens] = {"memory": MemoryStore, "SQLite in memory": SqlStore.in_memory}


@dataclass(frozen=True)
class Measured:
    """``count`` of something in ``seconds`` of the processor."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def open_and_close(opens: Opens) -> int:
    """An empty store."""
    for _ in range(20):
        opens(None).close()
    return 20


def decide(opens: Opens) -> int:
    """Weeks of data: decisions that train, judge, promote and reject, and the work between them."""
    house = House(opens=opens)
    for week in range(WEEKS):
        house.clock.advance(timedelta(days=7))
        house.data(30_000, f"{week}.parquet")
        house.work(PASSES if week % 2 else FAILS)
    with house.store.read() as tx:
        decisions: int = tx.decisions.head()[0]
    house.store.close()
    return decisions


def backtest(opens: Opens) -> int:
    """A series, as `incumbent backtest` plays it; its moments."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    better, worse = ("14.0", "14.6", "-0.9", "-0.3"), ("14.5", "14.0", "0.3", "0.7")
    names = ("candidate.mae", "candidate.mae.champion", "candidate.mae.low", "candidate.mae.high")
    table = [
        {"at": f"{start + timedelta(days=7 * week):%Y-%m-%d}", "new_data": "30000"}
        | dict(zip(names, better if week % 2 else worse, strict=True))
        for week in range(WEEKS)
    ]
    found = run_backtest("policy", policy(), read_rows("series", table, 2), opens)
    return len(found.moments)


def simulate(opens: Opens) -> int:
    """Worlds under faults, each step's invariants checked."""
    for seed in range(SEEDS):
        world = World(seed, opens=opens)
        world.run(range(STEPS))
        world.close()
    return SEEDS


def measure(work: Callable[[Opens], int], opens: Opens) -> Measured:
    """One piece of work on one store."""
    began = time.process_time()
    count = work(opens)
    return Measured(count, time.process_time() - began)


WORK: dict[str, Callable[[Opens], int]] = {
    "open and close, times a second": open_and_close,
    "decisions a second": decide,
    f"backtest of {WEEKS} weeks, moments a second": backtest,
    f"simulation of {STEPS} steps, seeds a second": simulate,
}


def main() -> None:
    """Print one table."""
    logging.disable(logging.CRITICAL)
    print(machine())
    for opens in STORES.values():  # imports, and the tables that are made once in a process
        decide(opens)
    print(f"| of the processor | {' | '.join(STORES)} | times slower |\n|---|---:|---:|---:|")
    for name, work in WORK.items():
        fast, real = (measure(work, opens) for opens in STORES.values())
        print(
            f"| {name} | {fast.rate:,.1f} | {real.rate:,.1f} | {fast.rate / real.rate:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
