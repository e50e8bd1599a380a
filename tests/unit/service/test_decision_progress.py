"""How far a decision has come, read from what was written since."""

from __future__ import annotations

from datetime import timedelta

from controller.domain.rules import Approval, RollbackCondition, RollbackSection
from controller.domain.signals import SignalKind
from controller.service.explain.decision_progress import decision_progress
from tests.support.house import FAILS, PASSES, UNDECIDED, House, policy

WATCHED = RollbackSection(
    when=(RollbackCondition(name="decay", metric="mae", window=timedelta(days=2)),)
)


def stages(house: House, number: int = -1) -> dict[str, str]:
    with house.store.read() as tx:
        found = decision_progress(tx, house.records()[number], house.rules, house.clock.now())
    return {stage.name: stage.state for stage in found}


def grown(outcome: object = PASSES, **changes: object) -> House:
    house = House(policy(**changes))
    house.data(30_000, "jan")
    house.work()
    house.data(30_000, "feb")
    house.work(outcome)  # type: ignore[arg-type]
    return house


def test_a_held_challenger_waits_for_approval():
    house = grown(UNDECIDED, approval=Approval(when="inconclusive", count=2))
    assert stages(house) == {
        "proposed": "done", "approved": "now", "applied": "next", "observed": "next", "settled": "next",
    }  # fmt: skip


def test_a_promotion_is_observed_and_settles_when_its_watch_ends():
    house = grown(rollback=WATCHED)
    assert stages(house)["observed"] == "now"
    assert stages(house)["settled"] == "next"
    house.clock.advance(timedelta(days=3))
    house.signal(SignalKind.DRIFT, "d", columns={"distance": {"psi": 0.1}})
    house.tick()
    promoted = next(r for r in reversed(house.records()) if '"verdict":"promote"' in r.decision)
    assert stages(house, promoted.id - 1) == {
        "proposed": "done", "approved": "skipped", "applied": "done", "observed": "done", "settled": "done",
    }  # fmt: skip


def test_a_rejection_ends_where_it_was_applied():
    assert stages(grown(FAILS)) == {
        "proposed": "done", "approved": "skipped", "applied": "stopped", "observed": "skipped", "settled": "skipped",
    }  # fmt: skip


def test_a_rollback_settles_when_its_hold_is_lifted():
    house = grown()
    promoted = len(house.records())
    house.signal(SignalKind.ROLLBACK, reason="complaints", actor="person:ana", expect_version=2)
    house.work()
    assert house.champion == 1
    assert stages(house, promoted - 1)["settled"] == "stopped"
    rolled = next(r.id for r in house.records() if '"verdict":"rollback"' in r.decision)
    assert stages(house, rolled - 1)["settled"] == "next"
    house.signal(SignalKind.RELEASE, reason="found it", actor="person:ben")
    house.tick()
    assert stages(house, rolled - 1)["settled"] == "done"


def test_a_training_has_no_stages():
    assert stages(grown(), 0) == {}
