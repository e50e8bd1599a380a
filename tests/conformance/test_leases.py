"""What every keeper of leases does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.errors import Fenced
from controller.ports import Lease, Store
from tests.support.makers import HOUR, MINUTE
from tests.support.stores import Bench


def take(store: Store, owner: str) -> Lease | None:
    with store.begin() as tx:
        return tx.leases.acquire("model:a", owner, HOUR)


def holds(store: Store, lease: Lease) -> bool:
    with store.begin() as tx:
        try:
            tx.leases.check(lease)
        except Fenced:
            return False
        return True


def test_a_lease_has_one_holder(store: Store):
    mine = take(store, "me")
    assert mine == Lease(name="model:a", owner="me", fence=1)
    assert take(store, "you") is None
    assert holds(store, mine)
    with store.read() as tx:
        assert tx.leases.holder("model:a") == "me"
        assert tx.leases.holder("model:b") is None
        tx.leases.check(mine)


def test_renewing_keeps_the_fence(bench: Bench):
    mine = take(bench.store, "me")
    bench.pass_time(MINUTE * 50)
    assert take(bench.store, "me") == mine
    bench.pass_time(MINUTE * 50)
    assert mine is not None
    assert holds(bench.store, mine)


def test_a_lease_that_ran_out_goes_to_the_next_with_a_higher_fence(bench: Bench):
    mine = take(bench.store, "me")
    bench.pass_time(HOUR + MINUTE)
    assert mine is not None
    with bench.store.read() as tx:
        assert tx.leases.holder("model:a") is None
    with bench.store.begin() as tx, pytest.raises(Fenced, match="run out"):
        tx.leases.check(mine)
    yours = take(bench.store, "you")
    assert yours == Lease(name="model:a", owner="you", fence=2)
    assert not holds(bench.store, mine)
    assert holds(bench.store, yours)
    assert take(bench.store, "me") is None


def test_whoever_let_a_lease_run_out_takes_it_anew(bench: Bench):
    mine = take(bench.store, "me")
    bench.pass_time(HOUR + MINUTE)
    again = take(bench.store, "me")
    assert mine is not None
    assert again == replace(mine, fence=2)
    assert not holds(bench.store, mine)


def test_a_released_lease_is_free_at_once(store: Store):
    mine = take(store, "me")
    assert mine is not None
    with store.begin() as tx:
        tx.leases.release(mine)
        assert tx.leases.holder("model:a") is None
    assert not holds(store, mine)
    yours = take(store, "you")
    assert yours is not None
    assert yours.fence == 2
    with store.begin() as tx:
        tx.leases.release(mine)
        assert tx.leases.holder("model:a") == "you"


def test_a_lease_that_never_was(store: Store):
    with store.begin() as tx, pytest.raises(Fenced, match="somebody else"):
        tx.leases.check(Lease(name="model:z", owner="me", fence=1))
