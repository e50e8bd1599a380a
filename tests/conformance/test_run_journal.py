"""What every store keeps of runs while they last, and of workers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.runs import RunState
from controller.ports import JournalEntry, RunEnd, WorkerRow
from tests.support.makers import AT, MINUTE, MODEL, order
from tests.support.stores import Bench


@pytest.fixture
def claimed_run(bench: Bench) -> str:
    with bench.store.begin() as tx:
        order(tx)
        run = tx.runs.claim(f"{MODEL}.r1", 0, worker="w1", lease=MINUTE)
    assert run is not None
    return run.id


def metric(step: int, value: float | None = 1.5) -> JournalEntry:
    return JournalEntry(
        at=AT, kind="metric", name="mae", step=step, value=value, text="" if value else "nan"
    )


def line(text: str) -> JournalEntry:
    return JournalEntry(at=AT, kind="log", text=text)


def test_lines_come_back_in_order_and_by_kind(bench: Bench, claimed_run: str):
    with bench.store.begin() as tx:
        assert tx.journal.append(claimed_run, 1, [line("one"), metric(0)])
        assert tx.journal.append(claimed_run, 1, [line("two\x00"), metric(1, None)])
    with bench.store.read() as tx:
        found = tx.journal.read(claimed_run)
        assert [held.entry.kind for held in found] == ["log", "metric", "log", "metric"]
        assert found[1].entry == metric(0)
        assert found[3].entry == metric(1, None)
        assert [held.fence for held in found] == [1, 1, 1, 1]
        assert tx.journal.read(claimed_run, kinds=["log"])[0].entry.text == "one"
        assert tx.journal.read(claimed_run, after=found[1].id) == found[2:]
        assert tx.journal.read(claimed_run, limit=1) == found[:1]
        assert tx.journal.read("another.r1") == []


@pytest.mark.parametrize("fence", [0, 2], ids=["an older token", "a token nobody won"])
def test_a_fenced_writer_adds_nothing(bench: Bench, claimed_run: str, fence: int):
    with bench.store.begin() as tx:
        assert not tx.journal.append(claimed_run, fence, [line("late")])
    with bench.store.read() as tx:
        assert tx.journal.read(claimed_run) == []


def test_a_run_that_ended_has_had_its_say(bench: Bench, claimed_run: str):
    with bench.store.begin() as tx:
        tx.runs.finish(claimed_run, 1, RunEnd(state=RunState.DONE), at=AT)
        assert not tx.journal.append(claimed_run, 1, [line("late")])


def worker(name: str, pid: int = 7) -> WorkerRow:
    return WorkerRow(
        name=name,
        host="h",
        pid=pid,
        version="1",
        queues=("default", "gpu"),
        concurrency=2,
        started_at=AT,
    )


def test_workers_are_known_by_their_last_sign_of_life(bench: Bench):
    with bench.store.begin() as tx:
        tx.workers.beat(worker("b"))
        tx.workers.beat(worker("a"))
    bench.pass_time(timedelta(minutes=1))
    with bench.store.begin() as tx:
        tx.workers.beat(worker("a", pid=8))
    with bench.store.read() as tx:
        first, second = tx.workers.all()
    assert (first.name, first.pid, first.queues, first.concurrency) == (
        "a",
        8,
        ("default", "gpu"),
        2,
    )
    assert (second.name, second.pid) == ("b", 7)
    assert first.seen_at is not None
    assert second.seen_at is not None
    assert first.seen_at > second.seen_at or bench.kind == "postgresql"
    with bench.store.begin() as tx:
        tx.workers.leave("a")
        tx.workers.leave("nobody")
    with bench.store.read() as tx:
        assert [row.name for row in tx.workers.all()] == ["b"]
