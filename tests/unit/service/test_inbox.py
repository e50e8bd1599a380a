"""What waits for people, as the inbox shows it: since when they are asked, until when, and whose approval counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.domain.decisions import RecordApproval
from controller.domain.signals import SignalKind
from controller.service.explain.overview import inbox
from tests.support.command import POLICY, Desk
from tests.support.house import MODEL, UNDECIDED
from tests.unit.policy.test_supersede import ANA, BEN, say

DAY = timedelta(days=1)
ASKS = (
    f"{POLICY}approval: {{when: inconclusive, from: [leads], count: 2, expires: 3d, "
    "escalate: {after: 1d, to: [heads]}}\n"
)


@pytest.fixture
def desk() -> Desk:
    """v1 sits; v2 waits, and nobody is asked about it."""
    desk = Desk()
    desk.house.data(30_000, "jan")
    desk.house.work()
    desk.house.signal(SignalKind.MANUAL, actor=ANA, reason="please")
    desk.house.work(UNDECIDED)
    return desk


def row(desk: Desk) -> dict[str, Any]:
    with desk.house.store.read() as tx:
        (found,) = inbox(tx, desk.house.parse)
    return found


def test_the_time_is_that_of_the_request_and_the_decision_keeps_it(desk: Desk):
    assert (row(desk)["expires"], row(desk)["asked"]) == (None, None)
    desk.house.clock.advance(400 * DAY)
    desk.enforce(ASKS)
    assert row(desk)["expires"] is None, "nobody has been asked yet"
    desk.house.tick()
    now = desk.house.clock.now()
    shown = row(desk)
    assert (shown["asked"], shown["expires"], shown["escalates"]) == (now, now + 3 * DAY, now + DAY)
    desk.house.clock.advance(DAY)
    desk.house.tick()
    assert (row(desk)["expires"], row(desk)["escalates"]) == (now + 3 * DAY, None)
    assert row(desk)["groups"] == ("leads", "heads")
    desk.house.clock.advance(shown["expires"] - desk.house.clock.now())
    desk.house.tick()
    assert desk.house.states()[2] == "rejected"


def test_whose_approval_counts_and_why_another_does_not(desk: Desk):
    desk.enforce(ASKS)
    desk.house.tick()
    evidence = row(desk)["evidence"]
    say(desk.house, BEN)
    with desk.house.behind() as tx:  # as code wrote it that did not know who had asked
        for actor, seen in ((ANA, evidence), ("person:carl", "e" * 64)):
            said = RecordApproval(version=2, actor=actor, agrees=True, evidence=seen, reason="ok")
            tx.models.record_approval(MODEL, said, decision=1, at=desk.house.clock.now())
    shown = row(desk)
    assert (shown["given"], shown["counted"], shown["needed"]) == ([BEN], 1, 2)
    assert shown["not_counted"] == [
        {"who": ANA, "why": f"{ANA} asked for the training"},
        {"who": "person:carl", "why": "it was given for other evidence than there is now"},
    ]


def test_two_who_speak_for_one_are_one(desk: Desk):
    desk.enforce(ASKS)
    desk.house.tick()
    say(desk.house, BEN)
    say(desk.house, "person:dora", behalf=BEN)
    shown = row(desk)
    assert (shown["given"], shown["counted"]) == ([BEN, f"person:dora for {BEN}"], 1)
