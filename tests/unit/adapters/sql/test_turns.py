"""Threads that write to one SQLite file: nobody overtakes, in one store or in several."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from controller.adapters.sql.store import SqlStore
from controller.adapters.sql.turns import Turns, turns_at
from tests.support.waiting import until


def waiting(turns: Turns, *names: str, order: list[str]) -> list[threading.Thread]:
    """A thread for each name that waits for its turn, in this order."""
    threads = []
    for name in names:

        def take(name: str = name) -> None:
            assert turns.acquire(60)
            order.append(name)
            turns.release()

        thread = threading.Thread(target=take)
        thread.start()
        threads.append(thread)
        until(lambda: len(turns._waiting) == len(threads))
    return threads


def test_who_lets_go_and_asks_again_comes_after_those_who_wait():
    turns = Turns()
    order: list[str] = []
    assert turns.acquire(1)
    threads = waiting(turns, "b", "c", "d", order=order)
    turns.release()
    assert turns.acquire(60)
    order.append("a")
    turns.release()
    for thread in threads:
        thread.join()
    assert order == ["b", "c", "d", "a"]


def test_who_gave_up_keeps_nobody_waiting():
    turns = Turns()
    gave_up: list[bool] = []
    order: list[str] = []
    assert turns.acquire(1)
    impatient = threading.Thread(target=lambda: gave_up.append(turns.acquire(0.01)))
    impatient.start()
    impatient.join()
    assert gave_up == [False]
    [thread] = waiting(turns, "b", order=order)
    turns.release()
    thread.join()
    assert order == ["b"]
    assert turns.acquire(1)


def test_stores_on_one_file_share_their_turns(sqlite_url: str):
    """As the controller and the page in one process do."""
    one, two = SqlStore(sqlite_url), SqlStore(sqlite_url)
    with one.begin(), pytest.raises(RuntimeError, match="one inside another"), two.begin():
        pass
    with two.begin() as tx:
        tx.counters.add("x")
    one.close()
    two.close()


def test_a_child_that_was_forked_in_a_transaction_has_its_own_turn(tmp_path: Path):
    turns = turns_at(tmp_path / "db")
    assert turns.acquire(1)
    child = os.fork()
    if child == 0:
        os._exit(0 if turns.acquire(1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
