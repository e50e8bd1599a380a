"""Very many signals at once: what belongs to one decision is answered by one, and nobody waits for another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from controller.domain.signals import NewSignal, SignalKind, SignalStatus
from controller.service.deciding import engine, turns
from controller.service.deciding.engine import Engine, EngineConfig
from controller.service.deciding.turns import TURN, TURNS
from tests.support.house import MODEL, House, policy

QUIET = "quiet"


def house_of(models: Sequence[str], *, batch: int = 100) -> House:
    house = House()
    for model in models:
        house.review(replace(policy(), model=model))
    config = EngineConfig(batch=batch)
    house.engine = Engine(
        house.store, house.clock, house.parse, config, decided=lambda _, one: house.told.append(one)
    )
    house.work()
    house.told.clear()
    return house


def tell(house: House, model: str, kind: SignalKind, count: int, **payload: object) -> None:
    now = house.clock.now()
    signals = [
        NewSignal(
            key=f"{kind.value}{number}",
            model=model,
            kind=kind,
            occurred_at=now,
            payload=payload,
            actor="person:ana" if kind is SignalKind.RELEASE else "system",
        )
        for number in range(count)
    ]
    with house.store.begin() as tx:
        tx.signals.append(signals, now)


def waiting(house: House, model: str) -> int:
    with house.store.read() as tx:
        return tx.signals.count_waiting(model)


def test_what_people_say_of_one_model_keeps_no_other_waiting_for_more_than_a_turn():
    house = house_of([MODEL, QUIET])
    tell(house, MODEL, SignalKind.RELEASE, TURN * TURNS + 1, reason="nothing holds it")
    tell(house, QUIET, SignalKind.RELEASE, 1, reason="nothing holds it")
    house.engine.run_once()
    told = [decision.model for decision in house.told]
    assert told.index(QUIET) <= TURN
    assert told.count(MODEL) == TURN * TURNS
    assert waiting(house, QUIET) == 0


def test_who_comes_within_a_tick_is_decided_within_it():
    house = house_of([MODEL, QUIET])
    tell(house, MODEL, SignalKind.RELEASE, 3 * TURN, reason="nothing holds it")
    at: list[int] = []

    def hear(_: object, decision: object) -> None:
        at.append(len(at))
        if len(at) == 5:
            tell(house, QUIET, SignalKind.RELEASE, 1, reason="nothing holds it")
        if getattr(decision, "model", "") == QUIET:
            at.append(-1)

    house.engine = Engine(house.store, house.clock, house.parse, decided=hear)
    house.engine.run_once()
    assert waiting(house, QUIET) == 0
    assert at.index(-1) <= 2 * TURN


@pytest.mark.parametrize("count", [3, 6])
def test_more_loud_models_than_are_taken_at_once_keep_a_quiet_one_waiting_for_one_tick(
    count: int, monkeypatch: pytest.MonkeyPatch
):
    for module in (engine, turns):
        monkeypatch.setattr(module, "TURN", 2)
    monkeypatch.setattr(engine, "TURNS", 2)
    loud = [f"loud{number}" for number in range(count)]
    house = house_of([*loud, QUIET], batch=2)
    for model in loud:
        tell(house, model, SignalKind.RELEASE, 4 * count + 1, reason="nothing holds it")
    for _ in range(count):
        house.engine.run_once()  # each of them has had a turn, and wants more
    tell(house, QUIET, SignalKind.RELEASE, 1, reason="nothing holds it")
    house.engine.run_once()
    assert waiting(house, QUIET) == 0
    while any(waiting(house, model) for model in loud):
        assert house.engine.run_once().decisions


def test_news_of_one_kind_are_told_by_one_decision_and_each_has_its_own_answer():
    house = house_of([MODEL])
    for number in range(5):
        tell(house, MODEL, SignalKind.QUARANTINED, 1, sentence="of another kind", sequence=9)
        with house.store.begin() as tx:
            signal = NewSignal(
                key=f"n{number}",
                model=MODEL,
                kind=SignalKind.SCHEMA_CHANGED,
                occurred_at=house.clock.now(),
                payload={"sentence": f"Column {number % 4} is new"},
            )
            tx.signals.append([signal], house.clock.now())
    house.engine.run_once()
    assert [len(decision.answers) for decision in house.told] == [1, 5]
    told = house.told[-1]
    assert told.reason == (
        "Column 0 is new; Column 1 is new; Column 2 is new; and 1 other; there is still no champion"
    )
    assert [answer.reason for answer in told.answers][3:] == [
        "Column 3 is new; there is still no champion",
        "Column 0 is new; there is still no champion",
    ]
    assert {answer.status for answer in told.answers} == {SignalStatus.HANDLED}


def test_very_many_pieces_of_news_are_answered_within_one_tick():
    house = house_of([MODEL])
    tell(house, MODEL, SignalKind.SCHEMA_CHANGED, 1_500, sentence="The columns changed")
    assert house.engine.run_once().decisions <= 5
    assert waiting(house, MODEL) == 0


def test_however_many_models_have_news_all_are_decided_in_one_tick():
    names = [f"m{number:04}" for number in range(1000)]
    house = house_of(names)
    for name in names:
        tell(house, name, SignalKind.RELEASE, 1, reason="nothing holds it")
    house.engine.run_once()
    assert [name for name in names if waiting(house, name)] == []


def test_a_flood_for_one_keeps_no_model_beyond_a_batch_for_the_next_tick():
    names = [f"m{number:03}" for number in range(20)]
    house = house_of([MODEL, *names], batch=3)
    tell(house, MODEL, SignalKind.RELEASE, TURN * TURNS + 1, reason="nothing holds it")
    for name in names:
        tell(house, name, SignalKind.RELEASE, 1, reason="nothing holds it")
    house.engine.run_once()
    assert [name for name in names if waiting(house, name)] == []
