"""Settling a foreign move of the champion: what the policy asks for, what the server allows, and what never happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.domain.canonical import canonical_json
from controller.domain.decisions import (
    Decision,
    MoveVersion,
    Notify,
    PlaceHold,
    RulesRef,
    SetChampion,
    SettleMove,
    Verdict,
)
from controller.domain.publication import SETTLED_MOST, SETTLED_WINDOW, Settlement
from controller.domain.rules import Mode, RegistrySection
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.domain.snapshot import HoldView, MoveView, Snapshot
from controller.domain.versions import VersionState, VersionView
from controller.policy.decide import decide
from tests.support.house import MODEL, policy

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
PLACE = "mlflow://mlflow.internal:5000"
SAID = f"The alias champion of {MODEL} at {PLACE} points at version 1 instead of version 2, as we left it."
S = VersionState


def version(number: int, state: VersionState, **changes: Any) -> VersionView:
    view = VersionView(
        number=number,
        state=state,
        run=f"{MODEL}.{number}",
        digest=f"d{number}",
        recipe="gbm",
        created_at=NOW,
    )
    return replace(view, **changes)


def told(**payload: Any) -> Signal:
    """What the publisher puts into the inbox."""
    said = {
        "reason": SAID,
        "place": PLACE,
        "alias": "champion",
        "expected": 2,
        "found": 1,
        "version": 1,
        "generation": 2,
        "otherwise": "hold",
        "may_adopt": True,
        "entered_by": "ana",
    }
    return Signal(
        id=7,
        key="k7",
        model=MODEL,
        kind=SignalKind.FOREIGN_MOVE,
        occurred_at=NOW,
        received_at=NOW,
        payload=said | payload,
        actor=f"registry:{PLACE}",
    )


def seen(*signals: Signal, other: VersionView | None = None, **changes: Any) -> Snapshot:
    """Version 2 is champion, version 1 was."""
    return Snapshot(
        model=MODEL,
        generation=2,
        next_version=3,
        next_run=5,
        rules=RulesRef(path="rules/a.yaml", blob="b1"),
        signals=signals or (told(),),
        versions=(version(2, S.CHAMPION), other or version(1, S.SUPERSEDED)),
        **changes,
    )


def decided(snapshot: Snapshot, asks: Settlement | None = None, **rules: Any) -> Decision:
    section = RegistrySection(moved_elsewhere=asks, line=9 if asks else 0)
    return decide(snapshot, policy(registry=section, **rules), NOW)


def how(decision: Decision) -> str:
    (action,) = [a for a in decision.actions if isinstance(a, SettleMove)]
    assert (action.signal, action.place, action.alias) == (7, PLACE, "champion")
    return action.how


def kinds(decision: Decision) -> list[str]:
    return [action.kind for action in decision.actions]


def test_hold_rests_promotion_and_names_the_line():
    decision = decided(seen(), "hold")
    assert (decision.verdict, how(decision)) == (Verdict.HOLD, "hold")
    assert kinds(decision) == ["settle_move", "place_hold"]
    assert decision.champion_after == 2
    assert decision.reason == (
        f"{SAID[:-1]}; the policy asks to hold: automatic promotion is on hold until a person decides; "
        "champion v2 stays"
    )
    (settle,) = decision.tree.children
    assert settle.line == settle.children[0].line == 9
    assert settle.children[0].values["by"] == "policy"
    (answer,) = decision.answers
    assert answer.status is SignalStatus.HANDLED


def test_a_hold_that_is_there_is_not_placed_again():
    hold = HoldView(reason="An incident.", actor="person:ana", since=NOW)
    decision = decided(seen(hold=hold), "hold")
    assert kinds(decision) == ["settle_move"]
    assert decision.verdict is Verdict.HOLD


def test_restore_changes_nothing_here():
    decision = decided(seen(), "restore")
    assert (decision.verdict, how(decision)) == (Verdict.NONE, "restore")
    assert kinds(decision) == ["settle_move"]
    assert "the policy asks to restore: champion v2 is written there again" in decision.reason


def test_adopt_seats_their_version_by_a_decision():
    decision = decided(seen(), "adopt")
    assert (decision.verdict, how(decision)) == (Verdict.PROMOTE, "adopt")
    assert (decision.champion_before, decision.champion_after) == (2, 1)
    move, seat = decision.actions[1:]
    assert isinstance(move, MoveVersion)
    assert isinstance(seat, SetChampion)
    assert (seat.version, seat.generation, seat.previous) == (1, 2, 2)
    assert decision.reason.startswith("v1 replaces v2 as champion without its gates: ")


def test_what_is_known_of_the_move_is_in_the_tree():
    (settle,) = decided(seen(), "hold").tree.children
    evidence = settle.children[1]
    assert evidence.values["place"] == PLACE
    assert (evidence.values["found"], evidence.values["expected"]) == (1, 2)
    assert evidence.sentence.endswith(
        "who moved it is not recorded over there; version 1 was entered there by ana"
    )


@pytest.mark.parametrize("otherwise", ["hold", "adopt", "restore"])
def test_where_the_policy_is_silent_the_setting_holds(otherwise: str):
    decision = decided(seen(told(otherwise=otherwise)))
    assert how(decision) == otherwise
    assert f"the policy is silent, and INCUMBENT_REGISTRY_DRIFT says {otherwise}" in decision.reason
    assert decision.tree.children[0].line is None


@pytest.mark.parametrize("otherwise", [None, "", "promote", 1])
def test_a_setting_that_says_nothing_known_holds(otherwise: Any):
    assert how(decided(seen(told(otherwise=otherwise)))) == "hold"


def test_the_policy_goes_before_the_setting():
    assert how(decided(seen(told(otherwise="restore")), "hold")) == "hold"


LATELY = tuple(
    MoveView(at=NOW - timedelta(minutes=n), how="restore", decision=n)
    for n in range(1, SETTLED_MOST + 1)
)
NEVER: dict[str, tuple[Snapshot, str]] = {
    "the server forbids it": (
        seen(told(may_adopt=False)),
        "the policy asks to adopt, but this server forbids to adopt (INCUMBENT_REGISTRY_ADOPT)",
    ),
    "the server does not say that it may": (seen(told(may_adopt=None)), "this server forbids"),
    "the version is none of ours": (
        seen(told(found=9, version=None)),
        "but version 9 over there did not come from this server",
    ),
    "the alias was taken away": (
        seen(told(found=None, version=None)),
        "but no version is champion over there",
    ),
    "there is no such version": (seen(told(version=8)), "but there is no v8"),
    "it was rejected": (seen(other=version(1, S.REJECTED)), "but v1 is rejected"),
    "it failed": (seen(other=version(1, S.FAILED)), "but v1 is failed"),
    "it is archived": (seen(other=version(1, S.ARCHIVED)), "but v1 is archived"),
    "its artifact is gone": (
        seen(other=version(1, S.ARCHIVED, removed=True)),
        "but the artifact of v1 is gone",
    ),
    "a person holds": (
        seen(hold=HoldView(reason="An incident.", actor="person:ana", since=NOW)),
        "but automatic promotion is on hold (An incident)",
    ),
    "it is moved too often": (seen(moves=LATELY), "but somebody has moved it 3 times before"),
}


@pytest.mark.parametrize(("snapshot", "why"), NEVER.values(), ids=NEVER.keys())
def test_what_is_never_adopted_holds(snapshot: Snapshot, why: str):
    decision = decided(snapshot, "adopt")
    assert (decision.verdict, how(decision)) == (Verdict.HOLD, "hold")
    assert decision.champion_after == 2
    assert not any(isinstance(action, (SetChampion, MoveVersion)) for action in decision.actions)
    assert why in decision.reason


def test_a_hold_of_its_own_does_not_stand_against_newer_rules():
    hold = HoldView(reason=SAID, actor=f"registry:{PLACE}", since=NOW)
    assert how(decided(seen(hold=hold), "adopt")) == "adopt"


def test_restoring_ends_where_it_does_not_help():
    decision = decided(seen(moves=LATELY), "restore")
    assert how(decision) == "hold"
    assert "within 1h, and what is moved so often is a person's matter" in decision.reason
    assert any(isinstance(action, PlaceHold) for action in decision.actions)


@pytest.mark.parametrize(
    "moves",
    [
        LATELY[1:],
        tuple(replace(m, at=m.at - SETTLED_WINDOW) for m in LATELY),
        tuple(replace(m, how="hold") for m in LATELY),
    ],
    ids=["one less", "long ago", "held"],
)
def test_only_what_was_settled_lately_counts(moves: tuple[MoveView, ...]):
    assert how(decided(seen(moves=moves), "restore")) == "restore"


def test_a_seat_that_was_decided_about_since_outdates_the_move():
    decision = decided(seen(told(generation=1)), "adopt")
    assert decision.actions == ()
    (answer,) = decision.answers
    assert answer.status is SignalStatus.SKIPPED
    assert "before the champion was decided; champion v2 is written there" in answer.reason


def test_only_the_newest_move_counts():
    older = replace(told(version=1), id=6, key="k6")
    decision = decided(seen(older, told(found=9, version=None)), "adopt")
    assert how(decision) == "hold"
    assert [(a.signal, a.status.value) for a in decision.answers] == [
        (6, "skipped"),
        (7, "handled"),
    ]


def test_a_person_who_promotes_goes_first():
    word = Signal(
        id=8,
        key="k8",
        model=MODEL,
        kind=SignalKind.PROMOTE,
        occurred_at=NOW,
        received_at=NOW,
        payload={"version": 1, "reason": "It is better."},
        actor="person:ana",
    )
    decision = decided(seen(told(), word), "restore")
    assert decision.reason == "person:ana promoted v1 over champion v2 by hand: It is better."


def test_nobody_else_can_tell_of_a_move():
    decision = decided(seen(replace(told(), actor="person:eve")), "adopt")
    assert decision.champion_after == 2
    assert kinds(decision) == []


def test_audit_mode_settles_nothing():
    decision = decided(seen(), "adopt", mode=Mode.AUDIT)
    assert (decision.actions, decision.champion_after) == ((), 2)
    assert decision.reason.startswith("audit mode, nothing was changed: ")


def test_channels_are_told():
    decision = decided(seen(), "restore", notify={"moved_elsewhere": ("oncall",)})
    (notice,) = [action for action in decision.actions if isinstance(action, Notify)]
    assert (notice.event, notice.channels) == ("moved_elsewhere", ("oncall",))


def test_the_same_snapshot_gives_the_same_bytes():
    first, second = (canonical_json(decided(seen(), "adopt")) for _ in range(2))
    assert first == second
