"""Retraining that does not help makes way: the next recipe gets its turn, and the pace is stretched."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.rules import Recipe, TrainSection, Unimproving
from controller.domain.signals import SignalKind
from controller.domain.snapshot import Trial
from controller.policy.unimproving import mean_gain_bound, mixture_bound
from tests.support.house import START, House, policy

SAME = {
    "theta": 0.0,
    "difference": 0.0,
    "interval_low": -0.02,
    "interval_high": 0.02,
    "p_pass": 0.5,
    "p_fail": 0.04,
}
TWO = TrainSection(
    recipes=(
        Recipe(name="gbm", entrypoint="flights:gbm"),
        Recipe(name="forest", entrypoint="flights:forest"),
    )
)
SECTION = Unimproving(after=3, smallest_useful=0.005)
MONTH = timedelta(days=31)


def _month(house: House, name: str, outcome: object) -> str:
    house.clock.advance(MONTH)
    house.data(30_000, name)
    return house.work(outcome)[-1].reason  # type: ignore[arg-type]


def test_three_useless_retrainings_retire_the_recipe_and_rest_before_the_next():
    house = House(policy(train=TWO, unimproving=SECTION))
    house.data(30_000, "first")
    house.work()
    reasons = [_month(house, f"m{n}", SAME) for n in range(3)]
    assert "unimproving: 3 retrainings with 'gbm' gained 0 % on average" in reasons[-1]
    assert "'forest' is next" in reasons[-1]
    house.clock.advance(MONTH)
    house.data(30_000, "m4")
    (waits,) = house.tick()
    assert "it is paused until" in waits.answers[0].reason
    assert waits.wake_at is not None
    house.clock.set(waits.wake_at)
    house.tick()
    run = house.claim()
    assert run is not None
    assert run.spec.recipe == "forest"


def test_a_person_may_train_while_it_rests():
    house = House(policy(train=TWO, unimproving=SECTION))
    house.data(30_000, "first")
    house.work()
    for n in range(3):
        _month(house, f"m{n}", SAME)
    house.signal(SignalKind.MANUAL, actor="person:ana")
    assert "asked for by person:ana" in house.tick()[-1].reason


def test_a_promotion_restores_the_pace():
    house = House(policy(train=TWO, unimproving=SECTION))
    house.data(30_000, "first")
    house.work()
    for n in range(3):
        _month(house, f"m{n}", SAME)
    house.clock.advance(3 * MONTH)
    house.data(30_000, "later")
    house.work()
    with house.store.read() as tx:
        assert tx.models.state(house.rules.model).rest.stretches == 0


def test_useful_or_few_trials_are_left_alone():
    house = House(policy(train=TWO, unimproving=SECTION))
    house.data(30_000, "first")
    house.work()
    assert "unimproving" not in _month(house, "a", SAME)
    assert "unimproving" not in _month(house, "b", SAME)
    assert "unimproving" not in _month(house, "c", {})


def _trials(rng: random.Random, gain: float, n: int) -> list[Trial]:
    return [
        Trial(version=i, recipe="r", gain=rng.gauss(gain, 0.01), error=0.01, at=START)
        for i in range(n)
    ]


def test_the_bound_holds_at_all_looks_at_once():
    """400 streams of 60 looks at a recipe that gains exactly the smallest useful effect: few are ever retired."""
    rng = random.Random(20130101)
    wrong = 0
    for _ in range(400):
        trials = _trials(rng, 0.005, 60)
        seen = (mean_gain_bound(trials[:n], 5) for n in range(5, 61))
        wrong += any(p is not None and p.useless(Unimproving(after=5)) for p in seen)
    assert wrong <= 0.05 * 400


def test_a_recipe_that_brings_nothing_is_found():
    rng = random.Random(7)
    found = 0
    for _ in range(100):
        trials = _trials(rng, -0.005, 60)
        found += any(
            p is not None and p.useless(Unimproving(after=5))
            for p in (mean_gain_bound(trials[:n], 5) for n in range(5, 61))
        )
    assert found >= 90


_SQUARES = st.floats(0.0, 1e120)


@given(clock=_SQUARES, target=_SQUARES, alpha=st.floats(1e-300, 0.4))
def test_the_bound_of_any_two_variances_is_a_number_or_no_bound(
    clock: float, target: float, alpha: float
):
    assert mixture_bound(clock, target, alpha) >= 0
