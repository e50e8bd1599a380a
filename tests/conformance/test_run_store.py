"""What every run store does: the claim, the fence, the lease, the one end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from controller.domain.decisions import StartRun
from controller.domain.errors import Conflict, IllegalTransition, Unavailable
from controller.domain.runs import RunKind, RunState
from controller.domain.signals import SignalKind
from controller.ports import DOORBELL, Pulse, Query, RunEnd, Store, Transaction, doorbell_key
from tests.support.makers import AT, HOUR, MINUTE, MODEL, decide, order, spec
from tests.support.stores import Bench

RUN = f"{MODEL}.r1"
LEASE = MINUTE
DONE = RunEnd(state=RunState.DONE, reason="It went well.", result={"digest": "d1", "rows": 5})


def test_a_run_comes_back_as_it_was_ordered(store: Store):
    with store.begin() as tx:
        decision = decide(tx)
        ordered = order(tx, decision=decision)
    with store.read() as tx:
        assert tx.runs.get(RUN) == ordered
        assert tx.runs.get("other") is None
        assert tx.models.state(MODEL).next_run == 2
    assert ordered.spec == spec()
    assert (ordered.id, ordered.model, ordered.number) == (RUN, MODEL, 1)
    assert (ordered.state, ordered.fence, ordered.attempt) == (RunState.QUEUED, 0, 0)
    assert (ordered.ordered_at, ordered.decision) == (AT, decision)
    assert (ordered.worker, ordered.lease_until, ordered.started_at) == (None, None, None)
    assert (ordered.cancel_requested, ordered.progress, ordered.result) == (False, None, {})


def test_an_order_needs_the_next_number_a_new_name_and_a_decision(store: Store):
    with store.begin() as tx:
        order(tx)
    with pytest.raises(Conflict, match="has number 2"), store.begin() as tx:
        order(tx, 1)
    with pytest.raises(Conflict, match="has number 2"), store.begin() as tx:
        order(tx, 3)
    with pytest.raises(Conflict), store.begin() as tx:
        order(tx, 2, decision=99)
    with pytest.raises(Conflict), store.begin() as tx:
        action = StartRun(run=RUN, number=2, spec=spec())
        tx.runs.order(MODEL, action, decision=decide(tx), at=AT)


def test_a_claim_wins_the_next_fence(bench: Bench):
    with bench.store.begin() as tx:
        order(tx)
        run = tx.runs.claim(RUN, 0, worker="w1", lease=LEASE)
    assert run is not None
    assert (run.state, run.fence, run.attempt, run.worker) == (RunState.RUNNING, 1, 1, "w1")
    assert run.started_at is not None
    assert run.lease_until is not None
    assert abs(run.lease_until - run.started_at - LEASE) < timedelta(seconds=1)
    with bench.store.read() as tx:
        assert tx.runs.get(RUN) == run


@pytest.mark.parametrize("fence", [-1, 0, 1, 2])
def test_a_run_is_claimed_once(store: Store, fence: int):
    with store.begin() as tx:
        order(tx)
        assert tx.runs.claim(RUN, 0, worker="w1", lease=LEASE) is not None
    with store.begin() as tx:
        assert tx.runs.claim(RUN, fence, worker="w2", lease=LEASE) is None
        assert tx.runs.claim("other", 0, worker="w2", lease=LEASE) is None


LEAVING = {
    "claimed": lambda tx: tx.runs.claim(RUN, 0, worker="w", lease=LEASE),
    "cancelled": lambda tx: tx.runs.request_cancel(RUN, "Nobody wants it.", at=AT),
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_whoever_takes_a_run_out_of_the_queue_settles_its_letter(
    store: Store, leave: Callable[[Transaction], object]
):
    with store.begin() as tx:
        order(tx)
        for key in (doorbell_key(RUN, 0), doorbell_key(RUN, 2), doorbell_key("other.r1", 0)):
            tx.outbox.put(DOORBELL, key, {})
        tx.outbox.put("notify", doorbell_key(RUN, 0), {})
        assert tx.runs.claim(RUN, 1, worker="late", lease=LEASE) is None
        assert tx.outbox.depth() == {DOORBELL: 3, "notify": 1}
    with store.begin() as tx:
        leave(tx)
        kept = [letter.key for letter in tx.outbox.due(DOORBELL)]
        assert kept == [doorbell_key(RUN, 2), doorbell_key("other.r1", 0)]
        assert tx.outbox.depth() == {DOORBELL: 2, "notify": 1}


def test_a_claim_that_is_taken_back_leaves_the_letter(store: Store):
    with store.begin() as tx:
        order(tx)
        tx.outbox.put(DOORBELL, doorbell_key(RUN, 0), {})
    with pytest.raises(Unavailable), store.begin() as tx:
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
        raise Unavailable("Not by this worker.")
    with store.read() as tx:
        assert tx.outbox.depth() == {DOORBELL: 1}


def test_a_wrong_fence_claims_nothing(store: Store):
    with store.begin() as tx:
        order(tx)
        assert tx.runs.claim(RUN, 1, worker="w", lease=LEASE) is None


def test_a_heartbeat_extends_the_lease(bench: Bench):
    with bench.store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    for _ in range(3):
        bench.pass_time(LEASE * 0.75)
        with bench.store.begin() as tx:
            assert tx.runs.heartbeat(RUN, 1, lease=LEASE, progress=0.5) == Pulse(valid=True)
            assert tx.runs.reclaim(at=AT) == []
    with bench.store.begin() as tx:
        tx.runs.heartbeat(RUN, 1, lease=LEASE)
        run = tx.runs.get(RUN)
        assert run is not None
        assert run.progress == 0.5


@pytest.mark.parametrize("fence", [0, 2])
def test_a_fenced_worker_counts_for_nothing(store: Store, fence: int):
    with store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    with store.begin() as tx:
        assert tx.runs.heartbeat(RUN, fence, lease=LEASE) == Pulse(valid=False)
        assert not tx.runs.finish(RUN, fence, DONE, at=AT)
        assert tx.runs.heartbeat("other", 1, lease=LEASE) == Pulse(valid=False)
        assert not tx.runs.finish("other", 1, DONE, at=AT)
        assert tx.signals.count_waiting() == 0


ENDS = {
    RunState.DONE: SignalKind.RUN_FINISHED,
    RunState.FAILED: SignalKind.RUN_FAILED,
    RunState.CANCELLED: SignalKind.RUN_FAILED,
}


@pytest.mark.parametrize(("state", "kind"), ENDS.items(), ids=ENDS)
def test_the_end_and_its_signal_are_one(store: Store, state: RunState, kind: SignalKind):
    with store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    end = RunEnd(state=state, reason="So it ended.", result={"rows": 5, "state": "a lie"})
    with store.begin() as tx:
        assert tx.runs.finish(RUN, 1, end, at=AT + HOUR)
        assert not tx.runs.finish(RUN, 1, end, at=AT + HOUR)
    with store.read() as tx:
        run = tx.runs.get(RUN)
        (signal,) = tx.signals.pending(MODEL)
    assert run is not None
    assert (run.state, run.reason, run.ended_at) == (state, "So it ended.", AT + HOUR)
    assert run.result == end.result
    assert (signal.key, signal.kind) == (f"run:{RUN}:{state}", kind)
    assert (signal.actor, signal.occurred_at) == ("worker", AT + HOUR)
    assert signal.payload == {
        "run": RUN,
        "kind": "train",
        "state": state.value,
        "reason": "So it ended.",
        "rows": 5,
    }


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_an_end_is_an_end(store: Store, state: RunState):
    with store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    with pytest.raises(IllegalTransition), store.begin() as tx:
        tx.runs.finish(RUN, 1, RunEnd(state=state), at=AT)


def test_a_late_finish_counts_until_somebody_took_the_run_back(bench: Bench):
    with bench.store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    bench.pass_time(2 * LEASE)
    with bench.store.begin() as tx:
        assert tx.runs.finish(RUN, 1, DONE, at=AT)
        assert tx.runs.reclaim(at=AT) == []


def test_what_is_silent_is_taken_back_and_then_given_up(bench: Bench):
    with bench.store.begin() as tx:
        order(tx, retries=1)
        tx.runs.claim(RUN, 0, worker="w1", lease=LEASE)
    bench.pass_time(LEASE + MINUTE)
    with bench.store.begin() as tx:
        (back,) = tx.runs.reclaim(at=AT)
        assert (back.state, back.fence, back.attempt) == (RunState.QUEUED, 2, 1)
        assert (back.worker, back.lease_until) == (None, None)
        assert tx.signals.count_waiting() == 0
    with bench.store.begin() as tx:
        assert tx.runs.reclaim(at=AT) == []
        assert not tx.runs.finish(RUN, 1, DONE, at=AT)
        assert tx.runs.claim(RUN, 0, worker="w2", lease=LEASE) is None
        again = tx.runs.claim(RUN, 2, worker="w2", lease=LEASE)
        assert again is not None
        assert (again.fence, again.attempt) == (3, 2)
    bench.pass_time(LEASE + MINUTE)
    with bench.store.begin() as tx:
        (dead,) = tx.runs.reclaim(at=AT + HOUR)
        assert (dead.state, dead.ended_at) == (RunState.DEAD, AT + HOUR)
        assert "2 attempts" in dead.reason
        (signal,) = tx.signals.pending(MODEL)
        assert (signal.key, signal.kind) == (f"run:{RUN}:dead", SignalKind.RUN_FAILED)
        assert signal.payload["state"] == "dead"
        assert not tx.runs.finish(RUN, 3, DONE, at=AT)


def test_cancelling_what_waits_ends_it_at_once(store: Store):
    with store.begin() as tx:
        order(tx)
        tx.runs.request_cancel(RUN, "Nobody wants it.", at=AT)
    with store.begin() as tx:
        tx.runs.request_cancel(RUN, "Twice.", at=AT)
        run = tx.runs.get(RUN)
        (signal,) = tx.signals.pending(MODEL)
        assert run is not None
        assert (run.state, run.reason) == (RunState.CANCELLED, "Nobody wants it.")
        assert signal.key == f"run:{RUN}:cancelled"
        assert signal.payload["reason"] == "Nobody wants it."
        assert tx.runs.claim(RUN, 0, worker="w", lease=LEASE) is None


def test_cancelling_what_runs_is_heard_at_the_next_heartbeat(store: Store):
    with store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
        tx.runs.request_cancel(RUN, "Nobody wants it.", at=AT)
        tx.runs.request_cancel(RUN, "Twice.", at=AT)
        assert tx.signals.count_waiting() == 0
        assert tx.runs.heartbeat(RUN, 1, lease=LEASE) == Pulse(valid=True, cancel=True)
        run = tx.runs.get(RUN)
        assert run is not None
        assert (run.cancel_requested, run.reason) == (True, "Nobody wants it.")


def test_a_silent_run_that_was_to_stop_is_cancelled(bench: Bench):
    with bench.store.begin() as tx:
        order(tx)
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
        tx.runs.request_cancel(RUN, "Nobody wants it.", at=AT)
    bench.pass_time(LEASE + MINUTE)
    with bench.store.begin() as tx:
        (run,) = tx.runs.reclaim(at=AT)
        assert (run.state, run.reason) == (RunState.CANCELLED, "Nobody wants it.")


def test_only_a_run_that_exists_is_cancelled(store: Store):
    with pytest.raises(Conflict, match="There is no run"), store.begin() as tx:
        tx.runs.request_cancel("other.r1", "Why not.", at=AT)


FILTERS = {
    "all, newest first": (Query(), ["b.r2", f"{MODEL}.r3", "b.r1", f"{MODEL}.r2", f"{MODEL}.r1"]),
    "model": (Query(model=MODEL), [f"{MODEL}.r3", f"{MODEL}.r2", f"{MODEL}.r1"]),
    "kind": (Query(kinds=("evaluate",)), [f"{MODEL}.r2"]),
    "state": (Query(states=("running", "done")), [f"{MODEL}.r1"]),
    "limit": (Query(limit=1), ["b.r2"]),
    "before, of one model": (Query(model=MODEL, before=3, limit=1), [f"{MODEL}.r2"]),
    "since is inclusive": (Query(model="b", since=AT), ["b.r2", "b.r1"]),
    "until is exclusive": (Query(model="b", until=AT), []),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_find(store: Store, query: Query, expected: list[str]):
    with store.begin() as tx:
        order(tx, 1)
        order(tx, 2, kind=RunKind.EVALUATE, version=1)
        order(tx, 1, "b")
        order(tx, 3)
        order(tx, 2, "b")
        tx.runs.claim(RUN, 0, worker="w", lease=LEASE)
    with store.read() as tx:
        assert [run.id for run in tx.runs.find(query)] == expected


def test_a_run_that_is_handed_back_uses_up_no_attempt(bench: Bench):
    with bench.store.begin() as tx:
        order(tx)
    fence = 0
    for turn in range(1, 6):
        with bench.store.begin() as tx:
            run = tx.runs.claim(f"{MODEL}.r1", fence, worker="w", lease=MINUTE)
            assert run is not None
            assert (run.attempt, run.tries) == (turn, 1)
            tx.runs.heartbeat(run.id, run.fence, lease=timedelta(0))
            tx.runs.heartbeat(run.id, run.fence, lease=timedelta(0))  # told twice, counted once
        with bench.store.begin() as tx:
            (again,) = tx.runs.reclaim(at=AT)
        assert (again.state, again.handed_back, again.tries) == (RunState.QUEUED, turn, 0)
        fence = again.fence
