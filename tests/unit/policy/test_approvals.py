"""Approvals: counted by people, taken back, given in somebody's place, escalated once, and run out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.domain.rules import Approval, Escalate, Policy
from controller.policy.approvals import agreed, standing
from tests.support.house import MODEL, UNDECIDED, House, policy

ASKS = Approval(
    when="inconclusive", groups=("leads",), count=2, expires=timedelta(days=3),
    escalate=Escalate(after=timedelta(days=1), to=("heads",)),
)  # fmt: skip


def held(rules: Policy) -> House:
    """v1 sits, v2 waits for people."""
    house = House(rules)
    house.data(30_000, "jan")
    house.work()
    house.data(30_000, "feb")
    house.work(UNDECIDED)
    return house


@pytest.fixture
def house() -> House:
    return held(policy(approval=ASKS, notify={"escalated": ("pager",), "held": ("mail",)}))


def say(house: House, actor: str, **more: Any) -> str:
    """How a person's approval of v2 was answered."""
    return house.approve(f"person:{actor}", **more).reason


def test_two_different_people_are_two(house: House):
    assert "waits for 1 approval from leads" in say(house, "ana")
    say(house, "ana", reason="again")
    assert house.champion == 1
    assert "approved by person:ana and person:ben" in say(house, "ben")
    assert house.champion == 2


def test_an_approval_that_was_taken_back_does_not_count(house: House):
    say(house, "ana")
    assert "waits for 2 approvals" in say(house, "ana", withdraw=True)
    say(house, "ben")
    assert house.champion == 1
    say(house, "ana", reason="after all")
    assert house.champion == 2


def test_only_what_was_given_can_be_taken_back(house: House):
    assert "has no approval of v2" in say(house, "ana", withdraw=True)
    say(house, "ben")
    assert "has no approval of v2" in say(house, "ana", withdraw=True)


def test_a_delegation_makes_nobody_count_twice(house: House):
    say(house, "ana")
    say(house, "carl", behalf="person:ana")
    assert house.champion == 1
    say(house, "carl", behalf="person:ben", reason="again")
    assert house.champion == 2


def test_one_person_in_the_place_of_two_is_one(house: House):
    say(house, "carl", behalf="person:ana")
    say(house, "carl", behalf="person:ben", reason="again")
    assert house.champion == 1
    with house.store.read() as tx:
        words = tx.models.approvals(MODEL)
    assert (agreed(words), [w.behalf for w in standing(words)]) == (1, ["person:ben"])


def test_after_a_while_more_people_are_asked_once(house: House):
    assert "is in none of the groups leads" in say(house, "hedda", groups=["heads"])
    house.clock.advance(timedelta(days=1))
    (asked,) = house.tick()
    assert (
        "v2 has waited 1d for approval: heads may decide too, until 2013-02-03 12:00 UTC"
        in asked.reason
    )
    assert [a.channels for a in asked.actions if a.kind == "notify"] == [("pager",)]
    assert house.tick() == []
    say(house, "hedda", groups=["heads"])
    say(house, "ana")
    assert house.champion == 2


def test_without_a_channel_of_its_own_an_escalation_is_told_like_a_hold():
    house = held(policy(approval=ASKS, notify={"held": ("mail",)}))
    house.clock.advance(timedelta(days=1))
    (asked,) = house.tick()
    assert [a.channels for a in asked.actions if a.kind == "notify"] == [("mail",)]


def test_an_escalated_request_still_runs_out(house: House):
    house.clock.advance(timedelta(days=1))
    house.tick()
    house.clock.advance(timedelta(days=2))
    house.tick()
    assert house.states()[2] == "rejected"
