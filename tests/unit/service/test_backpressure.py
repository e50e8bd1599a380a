"""What waits is bounded; whoever finds it full is told so, and nothing that was accepted is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.errors import Full
from controller.domain.signals import NewSignal, SignalKind
from controller.policy.triggers import NewDataTrigger, ScheduleTrigger
from controller.ports import Store
from controller.service.deciding.backpressure import RESERVE, accept, has_room_for_notices
from controller.service.deciding.engine import Engine, EngineConfig
from controller.service.loops.fire_schedules import FireSchedules
from controller.service.sources.poll import PollConfig
from tests.support.house import MODEL, House, policy
from tests.support.makers import AT, new_signal
from tests.unit.service.test_poll_sources import HERE, Sources, batch


def bring(store: Store, *keys: str, limit: int = 3, kind: SignalKind = SignalKind.NEW_DATA) -> int:
    with store.begin() as tx:
        return len(accept(tx, [new_signal(key, kind=kind) for key in keys], AT, limit=limit))


def test_a_full_inbox_refuses_what_is_new_and_says_so(bench):
    bring(bench.store, "a", "b", "c")
    with pytest.raises(Full, match=f"The inbox of {MODEL} is full: 3 signals wait") as refused:
        bring(bench.store, "d")
    assert "Send it again later" in refused.value.sentence()
    assert bring(bench.store, "a", "c") == 2, "what was accepted before is accepted again"
    with bench.store.read() as tx:
        assert tx.signals.count_waiting(MODEL) == tx.signals.count_waiting() == 3
        assert tx.signals.count_waiting("another") == 0


def test_all_of_a_batch_or_nothing(store):
    bring(store, "a", "b")
    with pytest.raises(Full):
        bring(store, "c", "d")
    with store.read() as tx:
        assert tx.signals.count_waiting() == 2


def test_people_and_other_models_are_let_in(store):
    bring(store, "a", "b", "c")
    assert bring(store, "p", kind=SignalKind.ROLLBACK) == 1
    with store.begin() as tx:
        assert accept(tx, [new_signal("x", model="other")], AT, limit=3)
    bring(store, *(f"p{number}" for number in range(RESERVE - 1)), kind=SignalKind.APPROVAL)
    with pytest.raises(Full):
        bring(store, "too many words", kind=SignalKind.APPROVAL)


def test_a_rollback_is_seen_behind_a_thousand_causes(bench):
    with bench.store.begin() as tx:
        causes = [new_signal(f"k{n}", kind=SignalKind.NEW_DATA) for n in range(30)]
        tx.signals.append([*causes, new_signal("back", kind=SignalKind.ROLLBACK)], AT)
    with bench.store.read() as tx:
        seen = tx.signals.pending(MODEL, limit=10)
    assert [signal.key for signal in seen] == [*(f"k{n}" for n in range(9)), "back"]


def test_a_source_waits_outside_a_full_inbox_and_goes_on():
    house = House()
    sources = Sources(house)
    sources.service._config = PollConfig(timer=sources.timer, inbox=1)
    house.signal(SignalKind.SCHEMA_CHANGED)
    sources.by_address[HERE].arrive(batch("a", rows=50))
    assert sources.service.run_once().failed == 1
    assert "is full: 1 signals wait" in sources.state().error
    with house.store.read() as tx:
        assert tx.data.cursor(MODEL) is None
    house.tick()
    assert sources.later(10).signals == 1
    assert not sources.state().error


def test_a_due_time_stays_due_while_the_inbox_is_full():
    hourly = ScheduleTrigger(name="hourly", every=timedelta(hours=1))
    house = House(policy(triggers=(hourly, NewDataTrigger(name="new_data", rows=20_000))))
    schedules = FireSchedules(house.store, house.clock, house.parse, inbox=1)
    schedules.run_once()
    house.signal(SignalKind.SCHEMA_CHANGED)
    house.clock.advance(timedelta(hours=3, minutes=5))
    assert schedules.run_once().fired == 0
    house.tick()
    report = schedules.run_once()
    assert (report.fired, report.missed) == (1, 2)


def test_nothing_is_ordered_into_a_full_outbox_and_the_model_says_why():
    house = House()
    house.engine = Engine(house.store, house.clock, house.parse, EngineConfig(outbox=1))
    with house.store.begin() as tx:
        tx.outbox.put("run", "other.r1:0", {"run": "other.r1"})
    house.data(30_000)
    house.engine.run_once()
    with house.store.read() as tx:
        state = tx.models.state(MODEL)
        assert state.next_run == 1
        assert state.error
        assert state.error.startswith("The outbox is full: 1 ordered runs wait for a worker.")
        assert tx.signals.count_waiting(MODEL) == 1
        (letter,) = tx.outbox.due("run")
    with house.store.begin() as tx:
        tx.outbox.acknowledge(letter.id)
    house.clock.advance(timedelta(minutes=1))
    house.engine.run_once()
    with house.store.read() as tx:
        assert tx.models.state(MODEL).next_run == 2
        assert tx.models.state(MODEL).error is None


def test_messages_to_people_are_dropped_and_counted_when_nobody_delivers_them(store):
    with store.begin() as tx:
        tx.outbox.put("notify", "1", {})
        assert has_room_for_notices(tx, limit=2)
        tx.outbox.put("notify", "2", {})
        assert not has_room_for_notices(tx, limit=2)


def test_the_command_says_that_the_inbox_is_full():
    from tests.support.command import Desk

    app_context = Desk()
    new = [
        NewSignal(key=f"k{n}", model=MODEL, kind=SignalKind.SCHEMA_CHANGED, occurred_at=AT)
        for n in range(500)
    ]
    with app_context.house.store.begin() as tx:
        tx.signals.append(new, AT)
    said = app_context.run("signal", MODEL, code=5).output
    assert f"The inbox of {MODEL} is full: 500 signals wait for their answer." in said
