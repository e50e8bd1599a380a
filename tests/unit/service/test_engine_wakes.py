"""A model with something left to say is looked at again, wherever the process died that last spoke for it."""

from __future__ import annotations

from datetime import timedelta

from controller.domain.rules import Limits
from controller.policy.triggers import NewDataTrigger
from controller.service.deciding.views import ALL
from tests.support.house import MODEL, House, policy

COOL = policy(
    triggers=(NewDataTrigger(name="new_data", rows=20_000),),
    limits=Limits(cooldown=timedelta(minutes=10)),
)


def due(house: House) -> list[str]:
    with house.store.read() as tx:
        return tx.models.due(house.clock.now())


def test_a_crash_after_a_decision_leaves_the_model_due():
    house = House(COOL)
    house.data(30_000, "jan")
    house.tick()
    house.data(30_000, "feb")
    house.tick()  # put off by the cooldown; what follows is no news of it
    run = house.claim()
    assert run is not None
    house.trained(run)
    assert house.engine._decide_once(MODEL, ALL, house.clock.now()), "and here the process dies"
    assert due(house) == [MODEL]


def test_a_model_that_has_nothing_more_to_say_sleeps():
    house = House(COOL)
    house.data(30_000, "jan")
    house.work()
    assert due(house) == []
