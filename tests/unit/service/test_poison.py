"""What the engine cannot digest stops the one model that it belongs to, visibly, and no other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from unittest.mock import patch

import pytest

from controller.domain.errors import Conflict, PolicyInvalid, Unavailable
from controller.domain.rules import Policy
from controller.domain.signals import NewSignal, Signal, SignalKind, SignalStatus
from controller.policy.reasons import train as training
from controller.policy.triggers import judge_triggers
from controller.ports import Query
from controller.service.deciding.engine import Engine, EngineConfig
from controller.service.deciding.narrow import Narrowing
from controller.service.explain.overview import model_at_a_glance
from controller.service.replay.verify import Verifier
from tests.support.house import MODEL, START, House, policy
from tests.support.nonsense import behind_the_doors

OTHER = "cancellations"


@pytest.fixture
def house() -> House:
    house = House()
    house.review(replace(policy(), model=OTHER))
    house.review(policy())
    return house


def tell(house: House, model: str, kind: SignalKind, key: str, **payload: object) -> None:
    signal = NewSignal(
        key=key, model=model, kind=kind, occurred_at=house.clock.now(), payload=payload
    )
    with behind_the_doors(), house.store.begin() as tx:
        tx.signals.append([signal], house.clock.now())


def arrive(house: House, *models: str) -> None:
    """Enough data for a training of each."""
    for model in models:
        house.rules = replace(policy(), model=model)
        house.data(30_000, f"{model}.parquet")


def run_of(house: House, model: str) -> int:
    with house.store.read() as tx:
        return tx.models.state(model).next_run - 1


def problems(house: House, model: str) -> list[str]:
    with house.store.read() as tx:
        return list(model_at_a_glance(tx, model)["problems"])


@pytest.mark.parametrize("order", [(MODEL, OTHER), (OTHER, MODEL)], ids=["first", "last"])
def test_a_signal_that_cannot_be_read_is_answered_and_stops_nobody(house: House, order):
    arrive(house, *order)
    tell(house, MODEL, SignalKind.NEW_DATA, "poison", rows={"not": "a number"}, sequence="x")
    report = house.engine.run_once()
    assert report.poisoned == 1
    assert (run_of(house, OTHER), run_of(house, MODEL)) == (1, 1)
    assert problems(house, MODEL) == problems(house, OTHER) == []
    with house.store.read() as tx:
        poison = next(iter(tx.signals.with_key(MODEL, "poison")), None)
    assert poison is not None
    assert poison.status is SignalStatus.FAILED
    assert "TypeError" in poison.reason


@contextmanager
def sick(model: str):
    """Something of the model itself fails as soon as a training could be ordered, whatever the signals are."""

    def judge(case):
        if case.snapshot.model.startswith(model):
            raise ZeroDivisionError("its budget is zero")
        return judge_triggers(case)

    with patch.object(training, "judge_triggers", judge):
        yield


def state_of(house: House, model: str):
    with house.store.read() as tx:
        return tx.models.state(model)


def seat_two(house: House) -> None:
    """v2 sits in the seat, v1 did before."""
    for day in range(2):
        house.data(30_000, f"{day}.parquet")
        house.work()
        house.clock.advance(timedelta(days=1))
    assert house.champion == 2


def test_a_model_that_fails_by_itself_rests_and_says_so(house: House):
    house.review(policy(notify={"stopped": ("oncall",), "resumed": ("oncall",)}))
    arrive(house, MODEL, OTHER)
    with sick(MODEL):
        house.engine.run_once()
        assert problems(house, MODEL) == ["ZeroDivisionError: its budget is zero"]
        house.clock.advance(timedelta(seconds=31))
        house.engine.run_once()
    assert (run_of(house, OTHER), run_of(house, MODEL)) == (1, 0)
    with house.store.read() as tx:
        assert [s.status for s in tx.signals.pending(MODEL)] == [SignalStatus.OPEN]
        assert [letter.payload["event"] for letter in tx.outbox.due("notify")] == ["stopped"]
    house.clock.advance(timedelta(seconds=31))
    house.engine.run_once()
    assert run_of(house, MODEL) == 1
    assert problems(house, MODEL) == []
    with house.store.read() as tx:
        letters = tx.outbox.due("notify")
    assert [letter.payload["event"] for letter in letters] == ["stopped", "resumed"]


def test_what_failed_and_fails_no_more_lays_no_model_to_rest(house: House):
    """Another controller has ended the signal that failed here before this one searched for it."""
    failures = [ZeroDivisionError("it was there a moment ago")]

    def parse(text: str, path: str) -> Policy:
        rules = house.parse(text, path)
        if rules.model == MODEL and failures:
            raise failures.pop()
        return rules

    arrive(house, MODEL)
    engine = Engine(house.store, house.clock, parse)
    assert engine.run_once().poisoned == 1
    assert problems(house, MODEL) == []
    assert run_of(house, MODEL) == 1


def test_a_person_s_rollback_overtakes_what_is_stuck(house: House):
    seat_two(house)
    with sick(MODEL):
        house.data(30_000, "3.parquet")
        house.tick()
        assert problems(house, MODEL)
        house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="wrong prices")
        house.work()
        assert house.champion == 1
        assert problems(house, MODEL), "it rests on"
        hold = house.signal(SignalKind.HOLD, actor="person:ana", reason="look first")
        house.tick()
        assert house.statuses()[hold] in {"handled", "skipped"}
    with house.store.read() as tx:
        verified = Verifier(tx, house.parse, lambda text: sha1(text).hexdigest()).all()
    assert verified.whole, verified.first


def test_many_models_at_rest_keep_no_other_waiting(house: House):
    house.engine = Engine(house.store, house.clock, house.parse, EngineConfig(batch=3))
    names = [f"sick-{number}" for number in range(5)]
    for name in names:
        house.review(replace(policy(), model=name))
    with sick("sick"):
        arrive(house, *names)
        for _ in range(3):
            house.engine.run_once()
    arrive(house, OTHER)
    house.engine.run_once()
    assert run_of(house, OTHER) == 1


def test_signals_that_fail_only_together_lose_the_one_that_the_world_brought():
    kinds = (SignalKind.WEBHOOK, SignalKind.MANUAL, SignalKind.WEBHOOK, SignalKind.PROMOTE)
    signals = [
        Signal(id=n, key=f"{n}", model=MODEL, kind=kind, occurred_at=START, received_at=START)
        for n, kind in enumerate(kinds)
    ]
    search = Narrowing(lambda only: ArithmeticError("both") if {1, 3} <= only else None)
    search.search(signals)
    assert search.found == {1: "ArithmeticError: both"}


def test_each_of_many_is_found_within_the_tries():
    signals = [
        Signal(
            id=n,
            key=f"{n}",
            model=MODEL,
            kind=SignalKind.WEBHOOK,
            occurred_at=START,
            received_at=START,
        )
        for n in range(1000)
    ]
    bad = {3, 500, 501, 999}
    search = Narrowing(lambda only: ValueError("no") if bad & only else None)
    search.search(signals)
    assert set(search.found) <= bad
    assert search.found
    assert search.tries >= 0


def test_what_is_refused_tick_after_tick_is_no_race(house: House):
    def refuse(case):
        if any(s.payload.get("bad") for s in case.snapshot.signals):
            raise Conflict("The database refused the write: check constraint.")
        return judge_triggers(case)

    tell(house, MODEL, SignalKind.WEBHOOK, "bad", bad=True)
    tell(house, MODEL, SignalKind.WEBHOOK, "good")
    with patch.object(training, "judge_triggers", refuse):
        for _ in range(6):
            house.engine.run_once()
    with house.store.read() as tx:
        answers = {s.key: s.status for s in tx.signals.find(Query(model=MODEL, limit=9))}
    assert answers == {"bad": SignalStatus.FAILED, "good": SignalStatus.SKIPPED}


def test_a_policy_that_does_not_parse_any_more_stops_its_model_until_it_is_mended(house: House):
    sick = True

    def parse(text: str, path: str):
        if sick and house.policies[text].model == MODEL:
            raise PolicyInvalid(f"{path}:3:1: triggers: unknown key.")
        return house.policies[text]

    house.engine = Engine(house.store, house.clock, parse)
    arrive(house, MODEL, OTHER)
    assert house.engine.run_once().poisoned == 1
    assert (run_of(house, MODEL), run_of(house, OTHER)) == (0, 1)
    assert "unknown key" in problems(house, MODEL)[0]
    assert house.engine.run_once().poisoned == 0, "it rests before it is looked at again"
    sick = False
    house.clock.advance(timedelta(minutes=1))
    house.engine.run_once()
    assert run_of(house, MODEL) == 1
    assert problems(house, MODEL) == []


def test_a_database_that_is_away_is_no_model_s_fault(house: House):
    arrive(house, MODEL, OTHER)
    begin, asked = house.store.begin, []

    @contextmanager
    def away():
        asked.append(1)
        raise Unavailable("The database does not answer.")
        yield

    house.store.begin = away  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        house.engine.run_once()
    house.store.begin = begin  # type: ignore[method-assign]
    assert problems(house, MODEL) == problems(house, OTHER) == []
    house.engine.run_once()
    assert (run_of(house, MODEL), run_of(house, OTHER)) == (1, 1)
