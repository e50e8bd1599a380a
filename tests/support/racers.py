"""Two sessions that do the same thing at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import TypeVar

from controller.adapters.sql.store import SqlStore
from controller.domain.errors import Conflict
from controller.ports import Store
from tests.support.makers import MODEL, decide, seat

T = TypeVar("T")
PATIENCE = 60
"""Seconds until a race that hangs is given up."""


def race(stores: list[Store], act: Callable[[Store, int], T]) -> list[T]:
    """Let each store act in a thread of its own, all let go at once; what each brought, in order."""
    start = threading.Barrier(len(stores), timeout=PATIENCE)
    results: dict[int, T] = {}
    problems: list[BaseException] = []

    def run(lane: int) -> None:
        try:
            start.wait()
            results[lane] = act(stores[lane], lane)
        except BaseException as problem:  # noqa: BLE001 - raised again in the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if problems:
        raise problems[0]
    return [results[lane] for lane in range(len(stores))]


def promote_in_process(url: str, versions: list[int]) -> list[int]:
    """Seat each version, deciding anew as often as somebody else was first; the generations that were won.

    It reads in one transaction and writes in another, so that the view is often stale.
    """
    store = SqlStore(url)
    won: list[int] = []
    for version in versions:
        while True:
            with store.read() as tx:
                seen = tx.models.state(MODEL)
            try:
                with store.begin() as tx:
                    won.append(
                        seat(
                            tx,
                            version,
                            generation=seen.generation,
                            previous=seen.champion,
                            decision=decide(tx),
                        )
                    )
                break
            except Conflict:
                continue
    store.close()
    return won


def promoters(url: str, lanes: list[list[int]]) -> list[list[int]]:
    """Run :func:`promote_in_process` in a process for each lane."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(len(lanes)) as pool:
        work = pool.starmap_async(promote_in_process, [(url, lane) for lane in lanes])
        return work.get(PATIENCE)
