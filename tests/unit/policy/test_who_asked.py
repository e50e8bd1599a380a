"""Who caused a training cannot approve its result: decided from the snapshot, whatever the service let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.domain.canonical import digest
from controller.domain.rules import Approval
from controller.domain.signals import SignalKind
from controller.domain.snapshot import ApprovalView
from controller.policy.approvals import agreed, standing
from controller.policy.decide import decide
from controller.policy.triggers.webhook import WebhookTrigger
from controller.service.deciding.snapshots import take_snapshot
from tests.support.house import BETTER, MODEL, UNDECIDED, House, policy

ASKS = Approval(when="inconclusive", groups=("leads",), count=1)
ANA, BEN, CARL = "person:ana", "person:ben", "person:carl"


def start() -> House:
    """v1 sits; trainings start for data, a webhook, or a person."""
    plain = policy()
    hook = WebhookTrigger(name="release", type="release", line=6)
    house = House(policy(approval=ASKS, triggers=(*plain.triggers, hook), promote=(BETTER,)))
    house.data(30_000, "jan")
    house.work()
    return house


def manual(house: House) -> None:
    house.signal(SignalKind.MANUAL, actor=ANA, reason="please")


def webhook(house: House) -> None:
    house.signal(SignalKind.WEBHOOK, actor=ANA, trigger="release", type="release")


def dropped(house: House) -> None:
    house.signal(SignalKind.NEW_DATA, actor=ANA, rows=30_000, uri="feb", sequence=2)


def retried(house: House) -> None:
    """Ana's training is tried again by Ben, and his by Carl."""
    manual(house)
    for actor in (BEN, CARL):
        house.tick()
        run = house.claim()
        assert run is not None
        house.fail(run, "no luck")
        house.tick()
        house.signal(SignalKind.MANUAL, actor=actor, reason="again", retry_of=run.id)


CAUSES = [
    pytest.param(manual, {ANA}, id="manual"),
    pytest.param(webhook, {ANA}, id="webhook"),
    pytest.param(dropped, {ANA}, id="a file of theirs"),
    pytest.param(retried, {ANA, BEN, CARL}, id="retries of retries"),
]


def held(cause: Callable[[House], None]) -> House:
    house = start()
    cause(house)
    house.work(UNDECIDED)
    assert house.states()[2] == "challenger"
    return house


def say(house: House, actor: str, **more: Any) -> str:
    """How a person's approval of v2 was answered."""
    found = house.approve(actor, **more)
    return f"{found.status.value}: {found.reason}"


@pytest.mark.parametrize(("cause", "asked"), CAUSES)
def test_who_asked_cannot_approve(cause: Callable[[House], None], asked: set[str]):
    house = held(cause)
    for actor in sorted(asked):
        assert f"failed: the approval of {actor} does not count: {actor} asked for v2" in say(
            house, actor
        )
    assert house.champion == 1
    say(house, "person:dora")
    assert house.champion == 2


@pytest.mark.parametrize(("cause", "asked"), CAUSES)
def test_nor_somebody_in_their_place(cause: Callable[[House], None], asked: set[str]):
    house = held(cause)
    for actor in sorted(asked):
        assert f"{actor} asked for v2" in say(house, "person:dora", behalf=actor)
    assert house.champion == 1


def test_who_asked_may_reject():
    house = held(manual)
    assert "rejected v2" in say(house, ANA, agrees=False)


def test_the_snapshot_of_an_old_record_names_nobody_and_is_decided_as_before():
    house = held(manual)
    with house.store.read() as tx:
        seen = digest(tx.registry.evaluations(MODEL, (2,))[2])
    said: dict[str, Any] = {"version": 2, "evidence": seen, "groups": ["leads"], "reason": "fine"}
    house.signal(SignalKind.APPROVAL, actor=ANA, **said)
    now = house.clock.now()
    with house.store.read() as tx:
        rules = tx.rules.active(MODEL)
        assert rules is not None
        snapshot = take_snapshot(tx, rules, house.rules, now)
    assert decide(snapshot, house.rules, now).champion_after != 2
    old = tuple(replace(v, asked_by=()) for v in snapshot.versions)
    assert decide(replace(snapshot, versions=old), house.rules, now).champion_after == 2


@pytest.mark.parametrize(
    ("actor", "behalf", "counted"),
    [
        pytest.param(ANA, "", 0, id="oneself"),
        pytest.param(BEN, ANA, 0, id="in the place of who asked"),
        pytest.param(ANA, BEN, 0, id="who asked in the place of another"),
        pytest.param(BEN, CARL, 1, id="two others"),
        pytest.param(BEN, "", 1, id="another"),
    ],
)
def test_what_counts(actor: str, behalf: str, counted: int):
    at = datetime(2013, 1, 1, tzinfo=UTC)
    word = ApprovalView(version=2, actor=actor, agrees=True, evidence="e", at=at, behalf=behalf)
    assert agreed([word], {ANA}) == counted == len(standing([word], {ANA}))
    assert agreed([word]) == 1


ALIKE = [
    pytest.param("person:ana", "person:Ana", id="another case"),
    pytest.param("person:copa", "person:\u0441\u043e\u0440\u0430", id="a name in Cyrillic"),
    pytest.param("person:tom", "person:\u03c4\u03bf\u03bc", id="a name in Greek"),
    pytest.param("person:leo", "person:le0", id="a digit"),
    pytest.param("person:ana", "person:\uff41na", id="another width"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_two_who_look_the_same_are_one(one: str, other: str):
    at = datetime(2013, 1, 1, tzinfo=UTC)
    words = [
        ApprovalView(version=2, actor=actor, agrees=True, evidence="e", at=at)
        for actor in (one, other)
    ]
    assert (agreed(words), agreed(words[1:], {one}), agreed(words[:1], {other})) == (1, 0, 0)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_who_looks_like_who_asked_cannot_approve(one: str, other: str):
    house = start()
    house.signal(SignalKind.MANUAL, actor=one, reason="please")
    house.work(UNDECIDED)
    assert f"failed: the approval of {other} does not count: {other} asked for v2" in say(
        house, other
    )
    assert house.champion == 1
    say(house, "person:dora")
    assert house.champion == 2


def test_names_that_only_share_letters_are_two():
    at = datetime(2013, 1, 1, tzinfo=UTC)
    pairs = [("person:ana", "person:anna"), ("person:ben", "person:\u0431\u0435\u043d")]
    for pair in pairs:
        words = [ApprovalView(version=2, actor=a, agrees=True, evidence="e", at=at) for a in pair]
        assert agreed(words) == 2
