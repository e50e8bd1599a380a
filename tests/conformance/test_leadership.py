"""Of several controllers on one database one leads, and only what it writes while it leads is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.errors import Fenced
from controller.ports import LEAD, ControllerRow, Store
from controller.service.loops.leadership import Leadership, LeadershipConfig, LedStore, who_leads
from tests.support.makers import AT, new_signal
from tests.support.stores import Bench

TTL = timedelta(seconds=5)


class Steps:
    """A monotonic clock of one process."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def controller(bench: Bench, name: str, timer: Steps | None = None) -> Leadership:
    row = ControllerRow(owner=f"{name}:1:x", host=name, pid=1, version="1.0", started_at=AT)
    return Leadership(bench.store, row, LeadershipConfig(ttl=TTL, timer=timer or Steps()))


def append(store: Store, key: str) -> None:
    with store.begin() as tx:
        tx.signals.append([new_signal(key)], AT)


def keys(bench: Bench) -> list[str]:
    with bench.store.read() as tx:
        return [signal.key for signal in tx.signals.pending("flight-delay")]


def test_the_first_leads_and_the_second_stands_by(bench: Bench):
    first, second = controller(bench, "a"), controller(bench, "b")
    assert (first.run_once(), second.run_once(), first.run_once()) == (1, 0, 0)
    assert first.leads
    assert not second.leads
    append(LedStore(bench.store, first), "one")
    with pytest.raises(Fenced, match="does not lead"):
        append(LedStore(bench.store, second), "two")
    assert keys(bench) == ["one"]
    with bench.store.read() as tx:
        lead = who_leads(tx)
    assert lead.leader
    assert lead.sentence() == "a:1 leads; b:1 stands by"


def test_a_lead_that_is_given_up_is_free_at_once(bench: Bench):
    first, second = controller(bench, "a"), controller(bench, "b")
    first.run_once()
    first.resign()
    assert not first.leads
    assert second.run_once() == 1
    assert first.run_once() == 0
    with bench.store.read() as tx:
        assert [row.host for row in tx.controllers.all()] == ["b"]
        assert tx.leases.holder(LEAD) == "b:1:x"


def test_a_silent_leader_is_succeeded(bench: Bench):
    first, second = controller(bench, "a"), controller(bench, "b")
    first.run_once()
    bench.pass_time(TTL - timedelta(seconds=1))
    assert second.run_once() == 0
    bench.pass_time(timedelta(seconds=2))
    assert second.run_once() == 1


def test_a_leader_that_renews_stays(bench: Bench):
    timer = Steps()
    first, second = controller(bench, "a", timer), controller(bench, "b")
    first.run_once()
    lease = first.lease
    for _ in range(10):
        bench.pass_time(timedelta(seconds=2))
        timer.now += 2
        assert (first.run_once(), second.run_once()) == (0, 0)
    assert first.lease == lease


def test_a_stopped_controller_that_wakes_up_writes_nothing(bench: Bench):
    """Its own clock has not told it yet: it was stopped between the look at the clock and the commit."""
    first, second = controller(bench, "a"), controller(bench, "b")
    first.run_once()
    assert first.leads
    bench.pass_time(TTL * 12)
    with pytest.raises(Fenced, match="run out"):
        append(LedStore(bench.store, first), "nobody leads")
    second.run_once()
    assert first.leads, "it believes so"
    with pytest.raises(Fenced, match="gone to somebody else"):
        append(LedStore(bench.store, first), "another one leads")
    assert keys(bench) == []


def test_a_leader_knows_by_its_own_clock_that_its_time_is_up(bench: Bench):
    timer = Steps()
    first = controller(bench, "a", timer)
    first.run_once()
    timer.now += TTL.total_seconds()
    assert not first.leads
    with pytest.raises(Fenced, match="does not lead"):
        append(LedStore(bench.store, first), "late")
    bench.pass_time(TTL)
    assert first.run_once() == 1, "nobody took it meanwhile, so it leads again, with a new fence"
    assert first.lease.fence == 2


def test_what_failed_in_the_middle_is_not_asked_for_the_lead(bench: Bench):
    first = controller(bench, "a")
    first.run_once()
    store = LedStore(bench.store, first)
    with pytest.raises(ZeroDivisionError), store.begin() as tx:
        tx.signals.append([new_signal("half")], AT)
        _ = 1 / 0
    assert keys(bench) == []


def test_different_versions_beside_each_other_are_named(bench: Bench):
    first = controller(bench, "a")
    first.run_once()
    row = ControllerRow(owner="b:1:x", host="b", pid=1, version="1.1", started_at=AT)
    Leadership(bench.store, row).run_once()
    with bench.store.read() as tx:
        assert who_leads(tx).sentence() == "a:1 leads; b:1 stands by; versions 1.0 and 1.1"


def test_nobody_leads(bench: Bench):
    with bench.store.read() as tx:
        assert who_leads(tx).sentence() == "none leads."


def test_a_controller_that_was_silent_for_a_day_is_forgotten(bench: Bench):
    controller(bench, "a").run_once()
    bench.pass_time(timedelta(days=2))
    if bench.kind == "postgresql":
        bench.sql("UPDATE controllers SET seen_at = seen_at - interval '2 days'")
    controller(bench, "b").run_once()
    with bench.store.read() as tx:
        assert [row.host for row in tx.controllers.all()] == ["b"]


def test_counters_only_rise(bench: Bench):
    with bench.store.begin() as tx:
        tx.counters.add("late_results")
        tx.counters.add("late_results", 2)
        tx.counters.add("a")
    with bench.store.read() as tx:
        assert dict(tx.counters.all()) == {"a": 1, "late_results": 3}
