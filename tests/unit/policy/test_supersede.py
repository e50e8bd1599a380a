"""An approval survives what does not touch its evidence: what a newer challenger does to one that waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.domain.rules import Approval, RolloutStep
from controller.domain.runs import RunKind
from controller.domain.signals import SignalKind
from tests.support.house import FAILS, PASSES, UNDECIDED, House, policy

KEEPS = Approval(when="inconclusive", groups=("leads",), count=2)
NEWEST = Approval(when="inconclusive", groups=("leads",), count=2, supersede="newest")
NEVER = Approval()
ANA, BEN, CARL = "person:ana", "person:ben", "person:carl"


def arrive(house: House, name: str, outcome: Any = UNDECIDED) -> None:
    """A challenger is trained on new data and judged."""
    house.data(30_000, name)
    house.work(outcome)


def held(approval: Approval, **more: Any) -> House:
    """v1 sits, v2 waits for two people."""
    house = House(policy(approval=approval, **more))
    arrive(house, "jan", PASSES)
    arrive(house, "feb")
    assert house.states() == {1: "champion", 2: "challenger"}
    return house


def say(house: House, actor: str, version: int = 2, **more: Any) -> str:
    """How a person's approval of a version was answered."""
    return house.approve(actor, version, **more).reason


@pytest.mark.parametrize(
    ("approval", "approved", "after"),
    [
        pytest.param(KEEPS, True, "challenger", id="kept"),
        pytest.param(KEEPS, False, "rejected", id="nobody approved it"),
        pytest.param(NEWEST, True, "rejected", id="the newest only"),
        pytest.param(NEVER, True, "rejected", id="approvals count for nothing"),
    ],
)
@pytest.mark.parametrize("newer", [UNDECIDED, PASSES], ids=["that waits", "that takes the seat"])
def test_a_newer_challenger(approval: Approval, approved: bool, after: str, newer: Any):
    house = held(approval)
    if approved:
        say(house, ANA)
    house.data(30_000, "mar")
    decided = house.tick()
    while (run := house.claim()) is not None:
        if run.spec.kind is RunKind.TRAIN:
            house.trained(run)
        else:
            house.evaluated(run, newer if run.spec.version == 3 else UNDECIDED)
        decided += house.tick()
    assert house.states()[2] == after
    assert house.states()[3] == ("champion" if newer is PASSES else "challenger")
    kept = [d.reason for d in decided if "v2 was approved and waits on" in d.reason]
    assert len(kept) == (after == "challenger")


def test_a_newer_challenger_in_its_rollout_leaves_it_too():
    house = held(KEEPS, rollout=(RolloutStep(shadow=timedelta(days=1)),))
    say(house, ANA)
    arrive(house, "mar", PASSES)
    assert house.states() == {1: "champion", 2: "challenger", 3: "challenger"}
    assert "waits for the end of the rollout of v3" in say(house, BEN)
    house.clock.advance(timedelta(days=30))
    house.tick()
    assert house.champion == 3, "the rollout ends; who was approved meanwhile is not out of time"
    assert house.states()[2] == "challenger"
    house.work(FAILS)
    assert house.states()[2] == "rejected", "it was held against the new champion"


def test_a_promotion_by_hand_leaves_it_too():
    house = held(KEEPS)
    say(house, ANA)
    arrive(house, "mar")
    house.signal(SignalKind.PROMOTE, actor=BEN, version=3, reason="now")
    house.tick()
    assert (house.champion, house.states()[2]) == (3, "challenger")


def test_an_approval_that_was_taken_back_or_does_not_count_keeps_nothing():
    house = House(policy(approval=KEEPS))
    arrive(house, "jan", PASSES)
    house.signal(SignalKind.MANUAL, actor=ANA, reason="please")
    house.work(UNDECIDED)
    assert "does not count" in say(house, ANA)
    say(house, BEN)
    say(house, BEN, withdraw=True)
    arrive(house, "mar")
    assert house.states()[2] == "rejected"


def test_the_second_approval_still_seats_it_and_the_newer_one_is_judged_anew():
    house = held(KEEPS)
    say(house, ANA)
    arrive(house, "mar")
    assert "approved by person:ana and person:ben" in say(house, BEN)
    assert (house.champion, house.states()[3]) == (2, "challenger")
    house.work(PASSES)
    assert house.champion == 3


def test_every_challenger_that_waits_has_its_own_time():
    house = held(KEEPS)
    say(house, ANA)
    house.clock.advance(timedelta(days=1))
    arrive(house, "mar")
    house.clock.advance(timedelta(days=2))
    (first,) = house.tick()
    assert "v2 waited for approval until 2013-02-03 12:00 UTC and got 1 of 2 approvals" in (
        first.reason
    )
    assert house.states()[3] == "challenger"
    house.clock.advance(timedelta(days=1))
    house.tick()
    assert house.states()[3] == "rejected"


def test_what_was_approved_during_a_hold_goes_first_when_it_is_released():
    house = held(KEEPS)
    say(house, ANA)
    house.signal(SignalKind.HOLD, actor=CARL, reason="an audit")
    house.tick()
    assert "automatic promotion is on hold" in say(house, BEN)
    arrive(house, "mar")
    house.clock.advance(timedelta(days=30))
    house.tick()
    assert house.states()[2] == "challenger", "nobody was asked any more"
    house.signal(SignalKind.RELEASE, actor=CARL, reason="done")
    house.tick()
    assert house.champion == 2
