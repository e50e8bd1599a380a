"""The decision function as a matrix: state and news in, verdict and answers out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.decisions import SetChampion, StartRun, Verdict
from controller.domain.rules import (
    Approval,
    Comparison,
    Deprecate,
    ErrorBudget,
    Gate,
    Hold,
    Limits,
    Margin,
    Mode,
    Reference,
    RollbackCondition,
    RollbackSection,
    WhenInconclusive,
)
from controller.domain.signals import SignalKind
from controller.policy.triggers import DriftTrigger, NewDataTrigger, ScheduleTrigger
from tests.support.house import BETTER, FAILS, PASSES, UNDECIDED, House, policy

MONTH = timedelta(days=31)


def seated(**rules: Any) -> House:
    """A house whose first challenger took the seat a month ago."""
    house = House(policy())
    house.data(30_000, "first")
    house.work()
    assert house.champion == 1
    house.clock.advance(MONTH)
    house.review(policy(**rules))
    house.tick()
    return house


def judged(outcome: Any, **rules: Any) -> House:
    """… and a second challenger that was judged with ``outcome``."""
    house = seated(**rules)
    house.data(30_000, "second")
    house.work(outcome)
    return house


DRY_RUN = Gate(name="dry", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0, dry_run=True)
STRICT = Gate(name="strict", metric="mae", comparison=Comparison.AT_MOST, threshold=1.0)

JUDGED: list[tuple[str, Any, dict[str, Any], Verdict, int]] = [
    ("proven better", PASSES, {}, Verdict.PROMOTE, 2),
    ("proven worse", FAILS, {}, Verdict.REJECT, 1),
    ("undecided", UNDECIDED, {}, Verdict.HOLD, 1),
    ("value missing", {"challenger": None}, {}, Verdict.REJECT, 1),
    ("value is NaN", {"problem": "mae is NaN"}, {}, Verdict.HOLD, 1),
    ("no gate at all", PASSES, {"promote": ()}, Verdict.HOLD, 1),
    ("only a dry run", PASSES, {"promote": (DRY_RUN,)}, Verdict.HOLD, 1),
    ("a failing dry run", PASSES, {"promote": (BETTER, DRY_RUN)}, Verdict.PROMOTE, 2),
    ("one of two fails", PASSES, {"promote": (BETTER, STRICT)}, Verdict.REJECT, 1),
    ("approval always", PASSES, {"approval": Approval(when="always")}, Verdict.HOLD, 1),
    ("approval if open", PASSES, {"approval": Approval(when="inconclusive")}, Verdict.PROMOTE, 2),
    (
        "budget too small",
        {"p_pass": 0.04},
        {"error_budget": ErrorBudget(false_promotions=0.05)},
        Verdict.HOLD,
        1,
    ),
    (
        "budget large enough",
        {"p_pass": 1e-6},
        {"error_budget": ErrorBudget(false_promotions=0.05)},
        Verdict.PROMOTE,
        2,
    ),
]


@pytest.mark.parametrize(
    ("outcome", "rules", "verdict", "champion"), [c[1:] for c in JUDGED], ids=[c[0] for c in JUDGED]
)
def test_a_challenger_with_evidence(
    outcome: Any, rules: dict[str, Any], verdict: Verdict, champion: int
):
    house = judged(outcome, **rules)
    assert house.told[-1].verdict is verdict
    assert house.told[-1].challenger == 2
    assert house.champion == champion


def test_audit_mode_decides_and_changes_nothing():
    house = seated(mode=Mode.AUDIT)
    house.data(30_000, "second")
    (decision,) = house.work()
    assert decision.verdict is Verdict.TRAIN
    assert decision.actions == ()
    assert decision.reason.startswith("audit mode, nothing was changed:")
    assert house.tick() == []


SCHEDULE = ScheduleTrigger(name="monthly", cron="0 3 1 * *", line=4)
DRIFT = DriftTrigger(
    name="drift", metric="psi", above=0.2, columns=("distance",), hold=Hold(batches=2)
)


def _drift(house: House, value: float) -> None:
    house.clock.advance(timedelta(hours=1))
    house.signal(SignalKind.DRIFT, columns={"distance": {"psi": value}}, n=1000)


def _twice(first: float, second: float) -> Callable[[House], None]:
    def happen(house: House) -> None:
        _drift(house, first)
        house.tick()
        _drift(house, second)

    return happen


NEWS: list[tuple[str, dict[str, Any], Callable[[House], Any], bool, str]] = [
    ("too few rows", {}, lambda h: h.data(5, "few"), False, "5 of 20,000 new rows"),
    ("enough rows", {}, lambda h: h.data(20_000, "many"), True, "20,000 new rows"),
    (
        "one file",
        {"triggers": (NewDataTrigger(name="files", files=2),)},
        lambda h: h.data(5, "a"),
        False,
        "1 of 2 new files",
    ),
    (
        "due",
        {"triggers": (SCHEDULE,)},
        lambda h: h.signal(SignalKind.SCHEDULE, due="2013-03-01T03:00:00Z"),
        True,
        "due at 2013-03-01T03:00:00Z",
    ),
    (
        "asked for",
        {"triggers": ()},
        lambda h: h.signal(SignalKind.MANUAL, actor="person:ana"),
        True,
        "asked for by person:ana",
    ),
    (
        "drift once",
        {"triggers": (DRIFT,)},
        lambda h: _drift(h, 0.3),
        False,
        "psi of distance is 0.3, above 0.2; 1 of 2 batches in a row",
    ),
    (
        "drift twice",
        {"triggers": (DRIFT,)},
        _twice(0.3, 0.4),
        True,
        "psi of distance is 0.4, above 0.2",
    ),
    (
        "drift that went away",
        {"triggers": (DRIFT,)},
        _twice(0.3, 0.1),
        False,
        "psi of distance is 0.1, not above 0.2",
    ),
    ("no trigger for it", {}, lambda h: _drift(h, 0.3), False, "the policy has no drift trigger"),
]


@pytest.mark.parametrize(
    ("rules", "news", "trains", "words"), [c[1:] for c in NEWS], ids=[c[0] for c in NEWS]
)
def test_what_news_lead_to(
    rules: dict[str, Any],
    news: Callable[[House], Any],
    trains: bool,
    words: str,
):
    house = seated(**rules)
    news(house)
    decision = house.tick()[-1]
    assert (decision.verdict is Verdict.TRAIN) is trains
    said = decision.reason + " ".join(answer.reason for answer in decision.answers)
    assert words in said


LIMITED: list[tuple[str, Limits, timedelta, str]] = [
    ("at work", Limits(concurrency=1), timedelta(0), "is at work"),
    (
        "cooldown",
        Limits(concurrency=9, cooldown=timedelta(hours=6)),
        timedelta(hours=6),
        "cooldown",
    ),
    ("per day", Limits(concurrency=9, runs_per_day=1), timedelta(days=1), "1 training a day"),
]


@pytest.mark.parametrize(
    ("limits", "until", "words"), [c[1:] for c in LIMITED], ids=[c[0] for c in LIMITED]
)
def test_limits_defer_with_their_reason_and_keep_every_cause(
    limits: Limits, until: timedelta, words: str
):
    house = seated(limits=limits)
    house.data(20_000, "a")
    (first,) = house.tick()
    assert first.verdict is Verdict.TRAIN
    house.data(20_000, "b")
    (waits,) = house.tick()
    assert waits.verdict is Verdict.NONE
    assert words in waits.answers[0].reason
    assert house.tick() == []
    house.data(20_000, "c")
    house.tick()
    if until:
        assert waits.wake_at == house.clock.now() + until
        house.clock.advance(until)
        (decision,) = house.tick()
    else:
        run = house.claim()
        assert run is not None
        house.trained(run)
        decision = house.tick()[-1]
    assert decision.verdict is Verdict.TRAIN
    (order,) = [a for a in decision.actions if isinstance(a, StartRun)]
    (cause,) = order.spec.causes
    assert len(cause.signals) == 2, "both files are causes of the one training"


def test_what_comes_while_running_can_be_skipped_instead():
    house = seated(limits=Limits(queue_while_running="skip"))
    house.data(20_000, "a")
    house.tick()
    signal = house.data(20_000, "b")
    house.tick()
    assert house.statuses()[signal] == "skipped"


def _approve(house: House, actor: str, **changes: Any) -> Any:
    evidence = house.told[-1].tree.children[0].values["evidence"]
    payload = {"version": 2, "evidence": evidence, "agrees": True, "groups": ["leads"]} | changes
    house.signal(SignalKind.APPROVAL, actor=actor, **payload)
    return house.tick()[-1]


@pytest.fixture
def held() -> House:
    return judged(
        UNDECIDED,
        approval=Approval(
            when="inconclusive", groups=("leads",), count=2, expires=timedelta(days=3)
        ),
    )


def test_enough_different_people_make_an_inconclusive_challenger_champion(held: House):
    assert held.champion == 1
    assert _approve(held, "person:ana").verdict is Verdict.HOLD
    assert _approve(held, "person:ana", reason="again").verdict is Verdict.HOLD
    decision = _approve(held, "person:ben")
    assert decision.verdict is Verdict.PROMOTE
    assert "approved by person:ana and person:ben" in decision.reason
    assert held.champion == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"evidence": "0" * 64}, "saw other evidence", id="other evidence"),
        pytest.param({"groups": ["interns"]}, "is in none of the groups", id="not in the group"),
        pytest.param({"version": 1}, "does not wait for approval", id="another version"),
    ],
)
def test_an_approval_that_does_not_count(held: House, changes: dict[str, Any], words: str):
    decision = _approve(held, "person:ana", **changes)
    assert words in decision.reason
    assert decision.answers[0].status == "failed"
    assert held.champion == 1


def test_one_no_is_enough(held: House):
    decision = _approve(held, "person:ana", agrees=False, reason="labels look odd")
    assert decision.verdict is Verdict.REJECT
    assert "labels look odd" in decision.reason


def test_an_approval_that_never_comes_expires(held: House):
    held.clock.advance(timedelta(days=3))
    (decision,) = held.tick()
    assert decision.verdict is Verdict.REJECT
    assert "waited for approval until" in decision.reason


def test_evidence_about_an_earlier_champion_is_not_used():
    house = judged(UNDECIDED)
    house.data(30_000, "third")
    house.tick()
    run = house.claim()
    assert run is not None
    house.trained(run)
    house.tick()
    evaluation = house.claim()
    assert evaluation is not None
    house.signal(SignalKind.PROMOTE, actor="person:ana", version=2, reason="we need it")
    house.tick()
    assert house.champion == 2
    house.evaluated(evaluation)
    decision = house.tick()[0]
    assert decision.verdict is Verdict.NONE
    assert "was compared with v1, but the champion is v2 now" in decision.reason
    house.work()
    assert house.champion == 3


ROLLBACKS: list[tuple[str, dict[str, Any], bool, str]] = [
    ("to the one before", {"reason": "bad"}, True, "rolled back from v2 to v1: bad"),
    ("to a named one", {"reason": "bad", "to": 1}, True, "rolled back from v2 to v1: bad"),
    ("by force", {"reason": "bad", "force": True}, True, "rolled back from v2 to v1: bad"),
    ("to itself", {"reason": "bad", "to": 2}, False, "cannot roll back to v2: "),
    ("to nobody", {"reason": "bad", "to": 9}, False, "cannot roll back to v9: "),
    ("too late", {"reason": "bad", "expect_version": 1}, False, "v1 is no longer the champion"),
]


@pytest.mark.parametrize(
    ("payload", "moves", "words"), [c[1:] for c in ROLLBACKS], ids=[c[0] for c in ROLLBACKS]
)
def test_rollback_by_a_person(
    payload: dict[str, Any],
    moves: bool,
    words: str,
):
    house = judged(PASSES)
    house.signal(SignalKind.ROLLBACK, actor="person:ana", **payload)
    decision = house.work()[-1]
    assert words in decision.reason
    assert house.champion == (1 if moves else 2)
    assert any(isinstance(a, SetChampion) for a in decision.actions) is moves


def test_the_target_is_proven_before_the_seat_moves():
    house = judged(PASSES)
    house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="bad")
    (first,) = house.tick()
    assert "verifies that v1 still answers" in first.reason
    assert house.champion == 2
    assert house.tick() == []
    run = house.claim()
    assert run is not None
    house.fail(run, "the artifact has a flipped byte")
    (nobody,) = house.tick()
    assert nobody.reason == "there is no version to roll back to: v1 could not be loaded"
    assert house.champion == 2


def test_where_the_first_target_is_broken_the_next_one_takes_the_seat():
    house = judged(PASSES)
    house.clock.advance(MONTH)
    house.data(30_000, "third")
    house.work()
    assert house.champion == 3
    house.signal(SignalKind.ROLLBACK, actor="person:ana", reason="bad")
    house.tick()
    run = house.claim()
    assert run is not None
    assert run.spec.version == 2
    house.fail(run, "no module 'gone'")
    assert "v2 could not be loaded: no module 'gone'" in house.tick()[0].reason
    house.work()
    assert house.champion == 1


ERRORS = RollbackCondition(name="errors", metric="error_rate", threshold=0.01)
DECAY = RollbackCondition(
    name="decay",
    metric="mae",
    worse_than=Reference.PREVIOUS,
    margin=Margin(value=0.10, relative=True),
)
FIGURES: list[tuple[str, dict[str, Any], bool, str]] = [
    (
        "errors",
        {"metric": "error_rate", "value": 0.05, "n": 5_000},
        True,
        "the odds that it is beyond the threshold",
    ),
    ("a bad minute", {"metric": "error_rate", "value": 0.05, "n": 20}, False, "at least 100"),
    ("perhaps", {"metric": "error_rate", "value": 0.011, "n": 200}, False, "error_rate 0.011"),
    ("healthy", {"metric": "error_rate", "value": 0.001, "n": 5_000}, False, "error_rate 0.001"),
    (
        "decayed",
        {"metric": "mae", "value": 20.0, "n": 4_000, "std": 15.0, "reference": 14.0},
        True,
        "mae worse than previous by 10 %",
    ),
    (
        "within the margin",
        {"metric": "mae", "value": 15.0, "n": 4_000, "std": 15.0, "reference": 14.0},
        False,
        "the threshold is 15.4",
    ),
    ("no spread", {"metric": "mae", "value": 20.0, "n": 4_000, "reference": 14.0}, False, "luck"),
    ("no record", {"metric": "mae", "value": 20.0, "n": 4_000, "std": 1.0}, False, "no record"),
    ("not a number", {"metric": "mae", "value": None, "n": 4_000}, False, "no value"),
    (
        "tested by a worker",
        {"metric": "error_rate", "value": 0.02, "n": 900, "p_worse": 0.001},
        True,
        "",
    ),
    (
        "of another version",
        {"metric": "error_rate", "value": 0.9, "n": 9_000, "version": 1},
        False,
        "v1",
    ),
    ("unasked", {"metric": "rmse", "value": 9.0, "n": 9_000}, False, "no condition"),
]


@pytest.mark.parametrize(
    ("payload", "moves", "words"), [c[1:] for c in FIGURES], ids=[c[0] for c in FIGURES]
)
def test_rollback_by_the_champions_own_figures(
    payload: dict[str, Any],
    moves: bool,
    words: str,
):
    house = judged(PASSES, rollback=RollbackSection(when=(ERRORS, DECAY)))
    signal = house.signal(SignalKind.METRIC, **payload)
    decided = house.work()
    assert house.champion == (1 if moves else 2)
    said = " ".join([d.reason for d in decided] + [a.reason for d in decided for a in d.answers])
    assert words in said
    assert house.statuses()[signal] in {"handled", "skipped"}
    with house.store.read() as tx:
        assert (tx.models.state(house.rules.model).hold is not None) is moves


def test_superseded_versions_are_deprecated_then_archived_but_never_the_rollback_target():
    section = Deprecate(keep=0, after=timedelta(days=30))
    house = judged(PASSES)
    house.clock.advance(MONTH)
    house.data(30_000, "third")
    house.work()
    assert house.states() == {1: "superseded", 2: "superseded", 3: "champion"}
    house.review(policy(deprecate=section))
    house.clock.advance(MONTH)
    assert {d.verdict for d in house.tick()} == {Verdict.DEPRECATE}
    assert house.states() == {1: "deprecated", 2: "deprecated", 3: "champion"}
    house.clock.advance(MONTH)
    assert [d.verdict for d in house.tick()] == [Verdict.ARCHIVE]
    assert house.states() == {1: "archived", 2: "deprecated", 3: "champion"}


def test_a_poisoned_policy_stops_its_model_and_says_so():
    house = seated()
    house.policies.clear()
    house.engine._policies.clear()
    house.data(30_000, "x")
    assert house.tick() == []
    with house.store.read() as tx:
        assert tx.models.state(house.rules.model).error is not None


def test_a_challenger_that_waits_is_looked_at_again_when_newer_labels_are_there():
    house = judged(UNDECIDED, inconclusive=WhenInconclusive.WAIT)
    assert "evaluated again when more labels arrive" in house.told[-1].reason
    assert house.tick() == []
    house.review(policy(inconclusive=WhenInconclusive.WAIT, triggers=()))
    house.data(500, "more labels")
    again = house.tick()
    assert any("newer labels are there" in d.reason for d in again)
    run = house.claim()
    assert run is not None
    assert [g.test for g in run.spec.gates] == ["confidence_sequence"]
    house.evaluated(run, PASSES)
    assert house.tick()[-1].verdict is Verdict.PROMOTE


def test_the_first_look_of_one_that_may_wait_is_valid_at_every_look():
    house = seated(inconclusive=WhenInconclusive.WAIT)
    house.data(30_000, "second")
    house.tick()
    run = house.claim()
    assert run is not None
    house.trained(run)
    house.tick()
    evaluation = house.claim()
    assert evaluation is not None
    assert [g.test for g in evaluation.spec.gates] == ["confidence_sequence"]


def test_a_holdout_that_was_used_up_judges_nobody_any_more():
    budget = ErrorBudget(false_promotions=0.05, holdout_steps=2)
    house = seated(error_budget=budget)
    for name in ("second", "third", "fourth"):
        house.data(30_000, name)
        house.work({"p_pass": 1e-9} if name == "fourth" else FAILS)
        house.clock.advance(MONTH)
    assert house.champion == 1
    assert "holdout spent: bring fresh labels" in house.told[-1].reason


def test_a_reused_holdout_is_judged_at_its_own_level():
    budget = ErrorBudget(false_promotions=0.05, holdout_steps=32, adaptivity="full")
    house = seated(error_budget=budget)
    house.data(30_000, "second")
    house.work({"p_pass": 1e-6})
    assert house.champion == 1
    assert house.told[-1].verdict is Verdict.HOLD
