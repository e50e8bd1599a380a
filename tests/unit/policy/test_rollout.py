"""A rollout on the one path: the stages between a challenger that proved itself and the seat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain import codec
from controller.domain.canonical import canonical_json
from controller.domain.decisions import Verdict
from controller.domain.rollout import RolloutView, goes_to_challenger
from controller.domain.rules import (
    Approval,
    Comparison,
    Gate,
    RollbackCondition,
    RollbackSection,
    RolloutStep,
)
from controller.domain.signals import SignalKind
from controller.domain.snapshot import Snapshot
from controller.policy.decide import decide
from tests.support.house import FAILS, PASSES, House, policy

HOUR = timedelta(hours=1)
STEPS = (
    RolloutStep(shadow=24 * HOUR),
    RolloutStep(traffic=0.1, soak=6 * HOUR),
    RolloutStep(traffic=1.0),
)
ERRORS = RollbackSection(
    when=(RollbackCondition(name="errors", metric="error_rate", threshold=0.01),)
)
STRICT = Gate(name="strict", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0)


def rolling(**rules: Any) -> House:
    """A house with a champion, and v2 in the first stage of its rollout."""
    house = House(policy())
    house.data(30_000, "first")
    house.work()
    house.clock.advance(timedelta(days=31))
    house.review(policy(rollout=STEPS, **rules))
    house.data(30_000, "second")
    house.work()
    assert house.champion == 1
    return house


def rollout_of(house: House) -> RolloutView | None:
    with house.store.read() as tx:
        return tx.models.state(house.rules.model).rollout


def stage_of(house: House) -> tuple[int, float]:
    rollout = rollout_of(house)
    assert rollout is not None
    return rollout.stage, rollout.traffic


def figure(house: House, value: float, version: int = 2, n: int = 50_000) -> None:
    house.signal(SignalKind.METRIC, metric="error_rate", value=value, n=n, version=version)


def test_the_stages_follow_each_other_and_the_last_gives_the_seat():
    house = rolling()
    assert stage_of(house) == (0, 0.0)
    assert house.told[-1].verdict is Verdict.ADVANCE
    assert "is in shadow for 1d (stage 1 of 3" in house.told[-1].reason

    house.clock.advance(23 * HOUR)
    assert house.tick() == []

    house.clock.advance(HOUR)
    (second,) = house.tick()
    assert (second.verdict, stage_of(house)) == (Verdict.ADVANCE, (1, 0.1))
    assert house.champion == 1

    house.clock.advance(6 * HOUR)
    third, seated = house.tick()
    assert (third.verdict, seated.verdict) == (Verdict.ADVANCE, Verdict.PROMOTE)
    assert house.champion == 2
    assert rollout_of(house) is None
    assert house.states() == {1: "superseded", 2: "champion"}


def test_the_model_is_due_when_a_stage_is_over():
    house = rolling()
    with house.store.read() as tx:
        assert tx.models.state(house.rules.model).wake_at == house.clock.now() + 24 * HOUR


def test_the_first_champion_needs_no_rollout():
    house = House(policy(rollout=STEPS))
    house.data(30_000, "first")
    house.work()
    assert house.champion == 1


def test_bad_figures_about_the_challenger_end_it():
    house = rolling(rollback=ERRORS)
    house.clock.advance(25 * HOUR)
    house.tick()
    figure(house, 0.05)
    (decision,) = house.tick()
    assert decision.verdict is Verdict.REJECT
    assert "taken out of its rollout" in decision.reason
    assert (house.champion, rollout_of(house)) == (1, None)
    assert house.states()[2] == "rejected"


@pytest.mark.parametrize(
    ("value", "n"), [(0.001, 50_000), (0.5, 10)], ids=["good figures", "too few to say"]
)
def test_figures_that_show_no_harm_let_it_go_on(value, n):
    house = rolling(rollback=ERRORS)
    figure(house, value, n=n)
    house.tick()
    assert stage_of(house) == (0, 0.0)
    assert set(house.statuses().values()) == {"handled"}


def test_bad_figures_about_the_champion_still_take_it_back():
    house = rolling(rollback=ERRORS)
    house.clock.advance(25 * HOUR)
    house.tick()
    house.clock.advance(6 * HOUR)
    house.tick()
    assert house.champion == 2
    figure(house, 0.05)
    house.work()
    assert house.champion == 1


def test_a_hold_stops_it_and_a_release_lets_it_go_on():
    house = rolling()
    house.signal(SignalKind.HOLD, reason="a holiday", actor="person:ada")
    house.clock.advance(48 * HOUR)
    house.tick()
    assert stage_of(house) == (0, 0.0)
    house.signal(SignalKind.RELEASE, reason="back", actor="person:ada")
    house.tick()
    assert stage_of(house) == (1, 0.1)


def test_a_person_may_reject_it_in_the_middle():
    house = rolling()
    house.signal(SignalKind.REJECT, version=2, reason="no", actor="person:ada")
    house.tick()
    house.clock.advance(48 * HOUR)
    house.tick()
    assert (house.champion, rollout_of(house)) == (1, None)


def test_a_person_may_give_it_the_seat_in_the_middle():
    house = rolling()
    house.signal(SignalKind.PROMOTE, version=2, reason="sure", actor="person:ada")
    house.tick()
    assert (house.champion, rollout_of(house)) == (2, None)


def test_rules_that_became_stricter_end_it():
    house = rolling()
    house.review(replace(house.rules, promote=(STRICT,)))
    house.clock.advance(25 * HOUR)
    house.tick()
    assert (house.champion, house.states()[2]) == (1, "rejected")


def test_rules_without_a_rollout_give_the_seat_at_once():
    house = rolling()
    house.review(replace(house.rules, rollout=()))
    house.tick()
    assert house.champion == 2


def test_a_newer_challenger_waits_for_its_end_and_is_then_judged_against_the_new_champion():
    house = rolling()
    house.clock.advance(HOUR)
    house.data(30_000, "third")
    house.work(PASSES)
    assert stage_of(house) == (0, 0.0)
    assert house.states() == {1: "champion", 2: "challenger", 3: "challenger"}
    house.clock.advance(30 * HOUR)
    house.tick()
    house.clock.advance(6 * HOUR)
    house.work(FAILS)
    assert house.champion == 2
    assert house.states()[3] == "rejected"


def test_an_approval_is_asked_for_before_the_first_stage():
    house = rolling(approval=Approval(when="always", groups=("leads",)))
    assert rollout_of(house) is None
    assert house.states()[2] == "challenger"


def test_the_decisions_of_a_rollout_are_derived_again():
    house = rolling()
    house.clock.advance(24 * HOUR)
    house.tick()
    record = house.records()[-1]
    again = decide(codec.load_value(Snapshot, record.snapshot), house.rules, record.decided_at)
    assert canonical_json(again) == record.decision


@pytest.mark.parametrize("traffic", [0.0, 0.1, 0.5, 1.0])
def test_the_split_keeps_its_share_and_its_keys(traffic):
    keys = [f"request {n}" for n in range(4000)]
    chosen = [key for key in keys if goes_to_challenger(key, traffic)]
    assert abs(len(chosen) / len(keys) - traffic) < 0.03
    assert all(goes_to_challenger(key, min(1.0, traffic + 0.2)) for key in chosen)
