"""What every book of models does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.decisions import RecordApproval, RecordTest
from controller.domain.errors import Conflict
from controller.domain.rollout import RolloutView
from controller.domain.signals import SignalAnswer, SignalStatus
from controller.domain.snapshot import ApprovalView, BudgetView, HoldView, RestView
from controller.domain.versions import VersionState
from controller.ports import ModelState, Store
from tests.support.makers import AT, HOUR, MODEL, decide, enter, move, new_signal


def test_a_new_model_is_empty(store: Store):
    with store.read() as tx:
        assert tx.models.state(MODEL) == ModelState(model=MODEL)
        assert tx.models.all() == []
    with store.begin() as tx:
        tx.models.state(MODEL)
    with store.read() as tx:
        assert tx.models.all() == [ModelState(model=MODEL)]


def test_fields_are_set_and_cleared(store: Store):
    changes = {
        "hold": HoldView(reason="It failed.", actor="person:ana", since=AT),
        "wake_at": AT + HOUR,
        "recipe_index": 2,
        "rest": RestView(stretches=1, until=AT + HOUR, since_version=4),
        "rollout": RolloutView(version=4, stage=1, traffic=0.1, since=AT, generation=3),
        "error": "A poisoned signal.",
        "last_fired": {"new_data": AT, "weekly": AT - HOUR},
    }
    with store.begin() as tx:
        tx.models.update(MODEL, **changes)
    with store.read() as tx:
        assert tx.models.state(MODEL) == ModelState(model=MODEL, **changes)  # type: ignore[arg-type]
    with store.begin() as tx:
        tx.models.update(MODEL, hold=None, wake_at=None, error=None, rollout=None)
    with store.read() as tx:
        state = tx.models.state(MODEL)
        assert (state.hold, state.wake_at, state.error, state.rollout) == (None,) * 4
        assert state.recipe_index == 2


def test_other_fields_are_not_set(store: Store):
    with pytest.raises(TypeError, match="generation"), store.begin() as tx:
        tx.models.update(MODEL, generation=5)


def test_models_are_listed_by_name(store: Store):
    with store.begin() as tx:
        for name in ("b", "a", "C", "a-b", "aa"):
            tx.models.state(name)
    with store.read() as tx:
        assert [s.model for s in tx.models.all()] == ["C", "a", "a-b", "aa", "b"]


def test_due_are_open_signals_and_alarms_longest_waiting_first(store: Store):
    with store.begin() as tx:
        tx.models.update("alarm", wake_at=AT - HOUR)
        tx.models.update("later", wake_at=AT + HOUR)
        tx.models.update("now", wake_at=AT)
        tx.models.update("poisoned", error="It cannot be read.", wake_at=AT - 3 * HOUR)
        tx.signals.append([new_signal("s1", "signal")], AT - 2 * HOUR)
        tx.signals.append([new_signal("s2", "signal")], AT)
        tx.signals.append([new_signal("s3", "both")], AT)
        tx.models.update("both", wake_at=AT - 4 * HOUR)
        (one, two) = tx.signals.append(
            [new_signal("w", "waits"), new_signal("e", "ended")], AT - HOUR
        )
        decision = decide(tx)
        for signal, status in ((one, SignalStatus.DEFERRED), (two, SignalStatus.HANDLED)):
            tx.signals.answer([SignalAnswer(signal=signal.id, status=status, reason="")], decision)
    with store.read() as tx:
        assert tx.models.due(AT) == ["both", "poisoned", "signal", "alarm", "now"]
        assert tx.models.due(AT, limit=2) == ["both", "poisoned"]
        assert tx.models.due(AT + HOUR)[-1] == "later"


def test_the_error_budget_counts_its_tests(store: Store):
    with store.begin() as tx:
        for number in (1, 2, 3):
            decision = enter(tx, number)
        for version, level, rejected in (
            (1, 0.01, False),
            (2, 0.02, True),
            (1, 0.03, False),
            (3, 0.04, True),
        ):
            test = RecordTest(version=version, level=level, rejected=rejected)
            tx.models.record_test(MODEL, test, decision=decision)
    with store.begin() as tx:
        assert tx.models.state(MODEL).budget == BudgetView(
            tests=4, rejections=(1, 3), levels={"1": 0.03, "2": 0.02, "3": 0.04}
        )
        move(tx, 2, VersionState.CANDIDATE, VersionState.REJECTED)
    with store.read() as tx:
        (state,) = tx.models.all()
        assert state == tx.models.state(MODEL)
        assert state.budget == BudgetView(tests=4, rejections=(1, 3), levels={"1": 0.03, "3": 0.04})


def test_approvals_are_kept_in_order(store: Store):
    with store.begin() as tx:
        decision = enter(tx, 1)
        for actor, agrees in (("person:ana", True), ("person:ben", False), ("person:ana", False)):
            approval = RecordApproval(
                version=1, actor=actor, agrees=agrees, evidence="e1", reason="Seen."
            )
            tx.models.record_approval(MODEL, approval, decision=decision, at=AT)
    with store.read() as tx:
        found = tx.models.approvals(MODEL)
        assert tx.models.approvals("other") == ()
    assert [(a.actor, a.agrees) for a in found] == [
        ("person:ana", True),
        ("person:ben", False),
        ("person:ana", False),
    ]
    assert found[0] == ApprovalView(
        version=1, actor="person:ana", agrees=True, evidence="e1", at=AT, reason="Seen."
    )


def test_books_are_kept_for_what_exists(store: Store):
    approval = RecordApproval(version=9, actor="a", agrees=True, evidence="e", reason="")
    test = RecordTest(version=9, level=0.05, rejected=True)
    with pytest.raises(Conflict), store.begin() as tx:
        tx.models.record_approval(MODEL, approval, decision=enter(tx, 1), at=AT)
    with pytest.raises(Conflict), store.begin() as tx:
        tx.models.record_test(MODEL, test, decision=enter(tx, 1))
    with store.read() as tx:
        assert tx.models.state(MODEL).budget.tests == 0


def test_an_alarm_in_the_far_past_and_future(store: Store):
    with store.begin() as tx:
        tx.models.update("old", wake_at=AT - timedelta(days=365 * 100))
        tx.models.update("far", wake_at=AT + timedelta(days=365 * 100))
    with store.read() as tx:
        assert tx.models.due(AT) == ["old"]
