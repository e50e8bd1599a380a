"""Many seeds, a figure, a shrunk and replayable failure: `python -m tests.simulation SEEDS`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.mutations import MUTATIONS
from tests.simulation.shrinking import WORLDS, Failure, play, shrink


def _play(steps: int, world: str, seed: int) -> Failure | None:
    logging.disable(logging.CRITICAL)
    return play(seed, steps, world)


def _seeds(seeds: range, steps: int, world: str, processes: int | None) -> int:
    began = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        for done, failure in enumerate(
            pool.map(partial(_play, steps, world), seeds, chunksize=16), 1
        ):
            if failure is not None:
                pool.shutdown(cancel_futures=True)
                print(f"\nseed {failure.seed} breaks it; shrinking ...", file=sys.stderr)
                print(shrink(failure))
                return 1
            if done % 100 == 0 or done == len(seeds):
                rate = done / (time.monotonic() - began)
                print(
                    f"\r{done:,} of {len(seeds):,} seeds, {rate:.0f} a second",
                    end="",
                    file=sys.stderr,
                )
    took = time.monotonic() - began
    print(
        f"\n{len(seeds):,} seeds of {steps} faulty steps each held every invariant, in {took:,.0f} s"
    )
    return 0


def _mutations(seeds: Iterable[int], steps: int) -> int:
    logging.disable(logging.CRITICAL)
    print("| the guard that was taken away | found by seed | what was seen |\n|---|---|---|")
    missed = 0
    for mutation in MUTATIONS:
        with mutation.planted():
            found = next((f for seed in seeds if (f := play(seed, steps))), None)
        missed += found is None
        seen = (found.seed, found.sentence.replace("|", "/")[:100]) if found else ("never", "")
        print(f"| {mutation.name} | {seen[0]} | {seen[1]} |", flush=True)
    print(f"\n{len(MUTATIONS)} guards, {missed} of them not missed")
    return 1 if missed else 0


def _replay(seed: int, steps: list[int], world: str) -> int:
    found = play(seed, steps, world)
    print(found or f"seed {seed} holds every invariant in these {len(steps)} steps")
    return 1 if found else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", type=int, nargs="?", default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--mutations", action="store_true", help="take the guards away, one by one")
    parser.add_argument("--keep", default="", help="play only the steps with these numbers")
    parser.add_argument("--world", choices=WORLDS, default="strange")
    parser.add_argument("--processes", type=int, help="default: one a core")
    given = parser.parse_args()
    if given.keep:
        return _replay(given.first, [int(number) for number in given.keep.split(",")], given.world)
    seeds = range(given.first, given.first + given.seeds)
    return (
        _mutations(seeds, given.steps)
        if given.mutations
        else _seeds(seeds, given.steps, given.world, given.processes)
    )


if __name__ == "__main__":
    sys.exit(main())
