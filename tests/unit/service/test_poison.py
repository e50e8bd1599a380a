"""What the engine cannot digest stops the one model that it belongs to, visibly, and no other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.errors import PolicyInvalid, Unavailable
from controller.domain.signals import NewSignal, SignalKind
from controller.service.engine import Engine
from controller.service.overview import model_at_a_glance
from tests.support.house import MODEL, House, policy
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
def test_a_signal_that_cannot_be_read_stops_its_model_and_no_other(house: House, order):
    arrive(house, *order)
    tell(house, MODEL, SignalKind.NEW_DATA, "poison", rows={"not": "a number"}, sequence="x")
    report = house.engine.run_once()
    assert report.poisoned == 1
    assert run_of(house, OTHER) == 1
    assert run_of(house, MODEL) == 0
    assert problems(house, MODEL)
    assert problems(house, OTHER) == []
    with house.store.read() as tx:
        assert len(tx.signals.pending(MODEL)) == 2, "nothing of it is lost"


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
