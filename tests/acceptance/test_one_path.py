"""Steps 1 to 7 of the one path, in memory, without broker or database, in simulated time."""

from __future__ import annotations

from datetime import timedelta

from controller.domain import codec
from controller.domain.canonical import canonical_json
from controller.domain.decisions import Decision, Verdict
from controller.domain.runs import RunKind, RunState
from controller.domain.signals import SignalKind
from controller.domain.snapshot import Snapshot
from controller.policy.decide import decide
from tests.support.chain import find_break
from tests.support.house import FAILS, MODEL, UNDECIDED, House


def test_a_signal_becomes_a_champion_along_the_one_path():
    house = House()
    # 1. a source appends a signal with a key; the same thing seen twice is one signal
    first = house.data(12_000, "2013-01-a.parquet")
    assert house.signal(SignalKind.NEW_DATA, _key(house, first), rows=12_000) == first
    # 2. and 3. the engine decides; too few rows is an answer with a reason
    (waiting,) = house.tick()
    assert waiting.verdict is Verdict.NONE
    assert "12,000 of 20,000 new rows" in waiting.reason
    assert house.tick() == [], "a tick that changes no answer writes nothing"
    house.data(9_000, "2013-01-b.parquet")
    (training,) = house.tick()
    assert training.verdict is Verdict.TRAIN
    assert "21,000 new rows" in training.reason
    # 4. one transaction: decision, run, outbox and answers
    assert house.statuses() == {1: "handled", 2: "handled"}
    # 5. the doorbell is claimed with its fence; the same ring a second time is nothing
    ring = house.dispatcher.take()[0]
    with house.store.begin() as tx:
        run = tx.runs.claim(ring.run, ring.fence, worker="w1", lease=timedelta(seconds=60))
        again = tx.runs.claim(ring.run, ring.fence, worker="w2", lease=timedelta(seconds=60))
    assert run is not None
    assert again is None
    # 6. the worker reports by a signal; the registry is the decision's
    assert house.trained(run)
    assert house.states() == {}
    (admitted,) = house.tick()
    assert house.states() == {1: "candidate"}
    assert admitted.challenger == 1
    # 7. the same path again: evidence, gates, champion
    evaluation = house.claim()
    assert evaluation is not None
    assert evaluation.spec.kind is RunKind.EVALUATE
    assert house.evaluated(evaluation)
    (promoted,) = house.tick()
    assert promoted.verdict is Verdict.PROMOTE
    assert (promoted.champion_before, promoted.champion_after) == (None, 1)
    assert house.champion == 1
    assert house.states() == {1: "champion"}


def test_challengers_win_lose_and_wait_and_people_have_the_last_word():
    house = House()
    house.data(30_000, "jan")
    house.work()
    assert house.champion == 1
    house.clock.advance(timedelta(days=31))
    house.data(30_000, "feb")
    assert house.work(FAILS)[-1].verdict is Verdict.REJECT
    house.clock.advance(timedelta(days=31))
    house.data(30_000, "mar")
    held = house.work(UNDECIDED)[-1]
    assert held.verdict is Verdict.HOLD
    assert "about 40,000 rows would decide it" in held.reason
    assert house.tick() == []
    house.clock.advance(timedelta(days=31))
    house.data(30_000, "apr")
    house.work()
    assert house.champion == 4
    assert house.states() == {1: "superseded", 2: "rejected", 3: "rejected", 4: "champion"}
    house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="late labels look bad")
    rolled = house.work()[-1]
    assert rolled.verdict is Verdict.ROLLBACK
    assert house.champion == 1
    assert house.states()[4] == "rejected"
    house.clock.advance(timedelta(days=31))
    house.data(30_000, "may")
    assert "is on hold until a person releases it" in house.work()[-1].reason
    assert house.champion == 1
    house.signal(SignalKind.RELEASE, actor="person:ana", reason="looked at it")
    released = house.tick()
    assert [d.verdict for d in released] == [Verdict.NONE, Verdict.PROMOTE]
    assert house.champion == 5


def test_every_decision_can_be_derived_again_byte_for_byte():
    house = House()
    for name, outcome in (("jan", {}), ("feb", FAILS), ("mar", UNDECIDED), ("apr", {})):
        house.data(30_000, name)
        house.work(outcome)
        house.clock.advance(timedelta(days=31))
    records = house.records()
    assert len(records) >= 12
    for record in records:
        snapshot = codec.load_value(Snapshot, record.snapshot)
        stored = codec.load_value(Decision, record.decision)
        again = decide(snapshot, house.rules, stored.decided_at)
        assert canonical_json(again) == record.decision
    assert find_break(records) is None


def test_a_lost_worker_is_taken_back_and_its_late_result_ignored():
    house = House()
    house.data(30_000, "jan")
    house.tick()
    lost = house.claim("w1")
    assert lost is not None
    house.wall.advance(timedelta(seconds=61))
    house.tick()
    second = house.claim("w2")
    assert second is not None
    assert second.id == lost.id
    assert second.fence > lost.fence
    assert house.trained(lost) is False
    assert house.trained(second) is True
    house.work()
    assert house.champion == 1
    with house.store.read() as tx:
        run = tx.runs.get(lost.id)
    assert run is not None
    assert run.state is RunState.DONE


def test_a_failed_training_is_one_sentence_and_the_champion_stays():
    house = House()
    house.data(30_000, "jan")
    house.work()
    house.clock.advance(timedelta(days=31))
    house.data(30_000, "feb")
    house.tick()
    run = house.claim()
    assert run is not None
    house.fail(run, "ValueError: column 'distance' vanished")
    (decision,) = house.tick()
    assert decision.reason == (
        f"training {MODEL}.r3 failed: ValueError: column 'distance' vanished; champion v1 stays"
    )
    assert house.champion == 1


def _key(house: House, signal: int) -> str:
    with house.store.read() as tx:
        found = tx.signals.get(signal)
    assert found is not None
    return found.key
