"""What every store does with transactions."""

from __future__ import annotations

import threading

import pytest

from controller.domain.errors import Conflict
from controller.ports import Store
from tests.support.makers import AT, HOUR, MODEL, batch, decide, enter, new_signal, order, seat


def test_an_exception_rolls_everything_back(store: Store):
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        tx.signals.append([new_signal()], AT)
        enter(tx, 1)
        seat(tx, 1)
        order(tx)
        tx.outbox.put("run", "a", {})
        tx.leases.acquire("model:a", "me", HOUR)
        tx.data.add(MODEL, [batch("a", "1")], AT)
        tx.schedules.set_next(MODEL, "t", AT, "x")
        raise ZeroDivisionError
    with store.read() as tx:
        assert tx.signals.with_key(MODEL, "k1") == ()
        assert tx.decisions.head()[0] == 0
        assert tx.registry.versions(MODEL) == []
        assert tx.models.all() == []
        assert tx.outbox.depth() == {}
        assert tx.leases.holder("model:a") is None
        assert tx.data.batches(MODEL) == []
        assert tx.schedules.next_due(MODEL, "t") is None


def test_a_reader_sees_what_was_committed_last(store: Store):
    with store.begin() as writing:
        writing.signals.append([new_signal("one")], AT)
        with store.read() as reading:
            assert reading.signals.count_waiting() == 0
    with store.read() as reading:
        assert reading.signals.count_waiting() == 1


def test_a_reader_sees_one_moment(store: Store):
    with store.read() as reading:
        assert reading.signals.count_waiting() == 0
        with store.begin() as writing:
            writing.signals.append([new_signal("one")], AT)
        assert reading.signals.count_waiting() == 0


def test_a_conflict_that_was_swallowed_commits_nothing_else_than_what_was_right(store: Store):
    with store.begin() as tx:
        tx.signals.append([new_signal("one")], AT)
        with pytest.raises(Conflict):
            seat(tx, 9)
        tx.signals.append([new_signal("two")], AT)
    with store.read() as tx:
        assert tx.signals.count_waiting() == 2


def test_threads_lose_no_update(store: Store):
    problems: list[BaseException] = []

    def write(name: int) -> None:
        try:
            for n in range(10):
                with store.begin() as tx:
                    decide(tx, f"m{name}")
                    tx.signals.append([new_signal(f"{name}-{n}")], AT)
        except BaseException as problem:  # noqa: BLE001 - told to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with store.read() as tx:
        assert tx.signals.count_waiting() == 40
        assert tx.decisions.head()[0] == 40
