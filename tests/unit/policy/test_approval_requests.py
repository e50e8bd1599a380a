"""The time to approve begins when people are asked: a rule that comes later, or changes, never rejects for the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.decisions import Decision, Verdict
from controller.domain.rules import Approval, ErrorBudget, Escalate, Mode, Policy, WhenInconclusive
from controller.domain.signals import SignalKind
from controller.policy.approvals import approval_request, request_terms
from tests.support.house import MODEL, PASSES, UNDECIDED, House, policy
from tests.unit.policy.test_supersede import ANA, BEN, arrive, say

DAY = timedelta(days=1)
ASKS = Approval(when="inconclusive", groups=("leads",), count=2, expires=3 * DAY)
TOLD = {"held": ("mail",), "approval_needed": ("pager",), "rejected": ("mail",)}


def held(rules: Policy) -> House:
    """v1 sits, v2 was judged by ``rules`` and stays."""
    house = House(rules)
    arrive(house, "jan", PASSES)
    arrive(house, "feb")
    return house


def words(house: House) -> list[str]:
    with house.store.read() as tx:
        return [w.word for w in tx.models.approvals(MODEL) if w.version == 2]


def channels(decision: Decision) -> list[tuple[str, tuple[str, ...]]]:
    return [(a.event, a.channels) for a in decision.actions if a.kind == "notify"]


def test_a_rule_that_comes_later_asks_and_rejects_nobody_for_the_past():
    house = held(policy(notify=TOLD))
    assert words(house) == []
    house.clock.advance(400 * DAY)
    house.tick()
    house.review(policy(approval=ASKS, notify=TOLD))
    (asked,) = house.tick()
    assert asked.verdict is Verdict.HOLD
    assert asked.reason.endswith("v2 waits for 2 approvals from leads")
    assert channels(asked) == [("held", ("mail",)), ("approval_needed", ("pager",))]
    assert asked.wake_at == house.clock.now() + 3 * DAY
    assert house.tick() == [], "people are asked once"
    assert words(house) == ["request"]
    house.clock.advance(3 * DAY - timedelta(seconds=1))
    assert house.tick() == []
    house.clock.advance(timedelta(seconds=1))
    (over,) = house.tick()
    assert over.verdict is Verdict.REJECT
    assert "v2 waited for approval until 2014-03-10 12:00 UTC and nobody gave it" in over.reason


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"expires": DAY}, id="less time"),
        pytest.param({"expires": 9 * DAY}, id="more time"),
        pytest.param({"groups": ("heads",)}, id="other people"),
        pytest.param({"count": 3}, id="more people"),
    ],
)
def test_other_terms_ask_anew(changes: dict[str, Any]):
    house = held(policy(approval=ASKS))
    say(house, ANA)
    house.clock.advance(2 * DAY)
    changed = replace(ASKS, **changes)
    house.review(policy(approval=changed))
    (asked,) = house.tick()
    assert asked.verdict is Verdict.HOLD
    assert asked.wake_at == house.clock.now() + changed.expires
    assert words(house) == ["request", "approve", "request"], "and what was approved stays so"
    house.clock.advance(changed.expires)
    house.tick()
    assert house.states()[2] == "rejected"


def test_the_same_terms_on_another_line_ask_nobody_again():
    house = held(policy(approval=ASKS))
    house.review(
        policy(
            approval=replace(ASKS, line=70, escalate=Escalate(after=DAY, to=()), supersede="newest")
        )
    )
    assert house.tick() == []


def test_a_rule_that_was_gone_for_a_while_gives_its_time_anew():
    house = held(policy(approval=ASKS))
    house.review(policy(inconclusive=WhenInconclusive.HOLD))
    (gone,) = house.tick()
    assert words(house) == ["request", "cancel_request"]
    assert gone.verdict is Verdict.HOLD
    assert gone.wake_at is None
    assert house.tick() == []
    house.clock.advance(9 * DAY)
    house.review(policy(approval=ASKS))
    house.tick()
    assert words(house) == ["request", "cancel_request", "request"]
    assert house.states()[2] == "challenger"


def test_a_hold_stops_the_time_of_who_passed():
    house = House(policy(approval=replace(ASKS, when="always"), notify=TOLD))
    arrive(house, "jan", PASSES)
    for person in (ANA, BEN):
        say(house, person, 1)
    arrive(house, "feb", PASSES)
    assert words(house) == ["request"]
    house.signal(SignalKind.HOLD, actor=ANA, reason="an audit")
    *_, rests = house.tick()
    assert "is on hold until a person releases it" in rests.reason
    assert channels(rests) == []
    house.clock.advance(9 * DAY)
    assert house.tick() == []
    house.signal(SignalKind.RELEASE, actor=ANA, reason="done")
    house.tick()
    assert words(house) == ["request", "cancel_request", "request"]
    assert house.states()[2] == "challenger"


def test_other_evidence_is_another_request():
    house = held(policy(approval=ASKS))
    say(house, ANA)
    house.clock.advance(2 * DAY)
    arrive(house, "mar")
    house.signal(SignalKind.PROMOTE, actor=BEN, version=3, reason="now")
    house.work(UNDECIDED)
    assert house.champion == 3
    assert words(house) == ["request", "approve", "request"]
    assert house.records()[-1].decided_at == house.clock.now()
    house.clock.advance(DAY)
    assert house.tick() == [], "the time of the evidence of before is over, and nobody minds"
    assert "waits for 1 approval" in say(house, BEN), "what was approved was the evidence of before"
    house.clock.advance(2 * DAY)
    house.tick()
    assert house.states()[2] == "rejected"


def test_nobody_is_asked_where_an_approval_would_not_help():
    budget = ErrorBudget(false_promotions=0.05, holdout_steps=1)
    house = held(policy(approval=ASKS, error_budget=budget))
    assert "holdout spent" in house.told[-1].reason
    house.clock.advance(9 * DAY)
    assert house.tick() == []
    assert (words(house), house.states()[2]) == ([], "challenger")


def test_audit_mode_repeats_no_message():
    house = held(policy(notify=TOLD))
    house.review(policy(approval=ASKS, notify=TOLD, mode=Mode.AUDIT))
    house.clock.advance(9 * DAY)
    assert house.tick() == []
    assert (words(house), house.states()[2]) == ([], "challenger")


def test_terms_and_time():
    assert request_terms(ASKS) == "2 approvals from leads within 3d"
    assert (
        request_terms(Approval(when="always"))
        == "1 approval from anybody who may approve within 3d"
    )
    assert approval_request(ASKS, ()) is None
