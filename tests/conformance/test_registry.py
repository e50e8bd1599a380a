"""What every registry does: versions, facts, and the one seat of each model."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.domain.decisions import (
    MoveVersion,
    RecordEvaluation,
    RegisterVersion,
    SetChampion,
)
from controller.domain.errors import Conflict, IllegalTransition, StaleGeneration
from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.versions import LIVING, VERSION_MOVES, VersionState, fold
from controller.ports import Store, Transaction, Within
from tests.support.makers import AT, HOUR, MODEL, decide, enter, move, seat

S = VersionState

PATHS: dict[VersionState, tuple[VersionState, ...]] = {
    S.CANDIDATE: (),
    S.CHALLENGER: (S.CHALLENGER,),
    S.CHAMPION: (S.CHAMPION,),
    S.SUPERSEDED: (S.CHAMPION, S.SUPERSEDED),
    S.DEPRECATED: (S.CHAMPION, S.SUPERSEDED, S.DEPRECATED),
    S.ARCHIVED: (S.CHAMPION, S.SUPERSEDED, S.DEPRECATED, S.ARCHIVED),
    S.REJECTED: (S.REJECTED,),
    S.FAILED: (S.FAILED,),
}


def bring(tx: Transaction, number: int, state: VersionState, model: str = MODEL) -> None:
    """Enter version ``number`` and lead it to ``state``; a second one takes the seat where that is needed."""
    enter(tx, number, model)
    before = S.CANDIDATE
    for after in PATHS[state]:
        if after is S.CHAMPION:
            seat(tx, number, model=model)
        elif before is S.CHAMPION:
            # Two successors, so that a rollback would not seat this one again.
            for step in (1, 2):
                enter(tx, number + step, model)
                seat(tx, number + step, generation=step, previous=number + step - 1, model=model)
        else:
            move(tx, number, before, after, model=model)
        before = after


def test_a_version_comes_back_as_it_was_entered(store: Store):
    action = RegisterVersion(
        version=1,
        run="flight-delay.r3",
        digest="d" * 64,
        recipe="gbm",
        size=1 << 40,
        data_through=12,
        metrics={"mae": 17.25},
        lineage="l" * 64,
    )
    with store.begin() as tx:
        decision = decide(tx)
        entered = tx.registry.register(MODEL, action, decision=decision, at=AT)
    with store.read() as tx:
        assert tx.registry.versions(MODEL) == [entered]
        assert tx.models.state(MODEL).next_version == 2
        (fact,) = tx.facts.of(MODEL)
    assert (entered.number, entered.state, entered.run) == (1, S.CANDIDATE, "flight-delay.r3")
    assert (entered.digest, entered.recipe, entered.size) == ("d" * 64, "gbm", 1 << 40)
    assert (entered.data_through, entered.metrics) == (12, {"mae": 17.25})
    assert (entered.lineage, entered.decision) == ("l" * 64, decision)
    assert (entered.created_at, entered.state_since) == (AT, AT)
    assert (fact.before, fact.after, fact.decision, fact.at) == (None, S.CANDIDATE, decision, AT)


@pytest.mark.parametrize("number", [0, 2, 7])
def test_a_number_that_is_not_the_next_is_refused(store: Store, number: int):
    with pytest.raises(Conflict, match="next version is v1"), store.begin() as tx:
        enter(tx, number)


def test_a_run_brings_one_version(store: Store):
    with pytest.raises(Conflict, match="brought a version before"), store.begin() as tx:
        decision = decide(tx)
        for number in (1, 2):
            action = RegisterVersion(version=number, run="r", digest="d", recipe="gbm")
            tx.registry.register(MODEL, action, decision=decision, at=AT)


def test_a_version_needs_a_decision(store: Store):
    with pytest.raises(Conflict), store.begin() as tx:
        enter(tx, 1, decision=99)


@pytest.mark.parametrize("before", VersionState)
def test_moves_follow_the_table(store: Store, before: VersionState):
    with store.begin() as tx:
        for after in VersionState:
            bring(tx, 1, before, model=f"to-{after}")
    reached = {after for after in VersionState if _moved(store, f"to-{after}", before, after)}
    assert reached == VERSION_MOVES[before] - {S.CHAMPION}
    with store.read() as tx:
        for after in VersionState:
            model = f"to-{after}"
            versions = tx.registry.versions(model)
            assert versions[-1].state is (after if after in reached else before)
            assert fold(tx.facts.of(model)) == {(model, v.number): v.state for v in versions}


def _moved(store: Store, model: str, before: VersionState, after: VersionState) -> bool:
    """Whether the store lets version 1 move so; a champion leaves together with its successor's coming."""
    try:
        with store.begin() as tx:
            if before is S.CHAMPION:
                enter(tx, 2, model)
                seat(
                    tx, 2, generation=1, previous=1, leaves=after, model=model, decision=decide(tx)
                )
            else:
                move(tx, 1, before, after, model=model)
    except IllegalTransition:
        return False
    return True


def test_a_move_names_the_state_that_it_saw(store: Store):
    with store.begin() as tx:
        bring(tx, 1, S.CHALLENGER)
    with pytest.raises(Conflict, match="is challenger, not candidate"), store.begin() as tx:
        move(tx, 1, S.CANDIDATE, S.REJECTED)
    with pytest.raises(Conflict, match="no version 9"), store.begin() as tx:
        move(tx, 9, S.CANDIDATE, S.REJECTED)


def test_a_move_is_a_fact(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        decision = decide(tx)
        action = MoveVersion(version=1, before=S.CANDIDATE, after=S.FAILED, reason="No predict.")
        tx.registry.move(MODEL, action, decision=decision, at=AT + HOUR, actor="person:ana")
    with store.read() as tx:
        fact = tx.facts.of(MODEL, 1)[-1]
        (version,) = tx.registry.versions(MODEL)
    assert (fact.before, fact.after, fact.reason) == (S.CANDIDATE, S.FAILED, "No predict.")
    assert (fact.actor, fact.decision, fact.at) == ("person:ana", decision, AT + HOUR)
    assert version.state_since == AT + HOUR


def test_the_first_champion(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        assert seat(tx, 1) == 1
    with store.read() as tx:
        state = tx.models.state(MODEL)
        (version,) = tx.registry.versions(MODEL)
        (reign,) = tx.registry.history(MODEL)
    assert (state.champion, state.generation) == (1, 1)
    assert (version.state, version.promoted_at) == (S.CHAMPION, AT)
    assert (reign.version, reign.generation, reign.since) == (1, 1, AT)
    assert (reign.until, reign.ended_by) == (None, "")


def test_a_succession_and_the_way_back(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 1)
        seat(tx, 2, generation=1, previous=1, at=AT + HOUR)
    with store.begin() as tx:
        back = AT + 2 * HOUR
        leaves = S.REJECTED
        assert seat(tx, 1, generation=2, previous=2, at=back, cause="rollback", leaves=leaves) == 3
    with store.read() as tx:
        state = tx.models.state(MODEL)
        two, one = tx.registry.versions(MODEL)
        reigns = tx.registry.history(MODEL)
        assert tx.registry.history(MODEL, limit=1) == reigns[:1]
        facts = tx.facts.of(MODEL)
    assert (state.champion, state.generation) == (1, 3)
    assert (one.state, two.state) == (S.CHAMPION, S.REJECTED)
    assert (one.promoted_at, two.promoted_at) == (back, AT + HOUR)
    assert [(r.version, r.generation, r.until, r.ended_by) for r in reigns] == [
        (1, 3, None, ""),
        (2, 2, back, "rollback"),
        (1, 1, AT + HOUR, "promotion"),
    ]
    assert [(f.version, f.before, f.after) for f in facts[2:]] == [
        (1, S.CANDIDATE, S.CHAMPION),
        (1, S.CHAMPION, S.SUPERSEDED),
        (2, S.CANDIDATE, S.CHAMPION),
        (2, S.CHAMPION, S.REJECTED),
        (1, S.SUPERSEDED, S.CHAMPION),
    ]


STALE = {
    "generation too low": {"generation": 0, "previous": 1},
    "generation too high": {"generation": 2, "previous": 1},
    "another champion": {"generation": 1, "previous": 3},
    "no champion": {"generation": 0, "previous": None},
}


@pytest.mark.parametrize("seen", STALE.values(), ids=STALE.keys())
def test_a_stale_view_promotes_nobody(store: Store, seen: dict[str, int | None]):
    with store.begin() as tx:
        for number in (1, 2, 3):
            enter(tx, number)
        seat(tx, 1)
    with pytest.raises(StaleGeneration), store.begin() as tx:
        action = SetChampion(version=2, reason="It won.", **seen)  # type: ignore[arg-type]
        tx.registry.seat(MODEL, action, decision=1, at=AT)
    with store.read() as tx:
        assert tx.models.state(MODEL).champion == 1
        assert [r.version for r in tx.registry.history(MODEL)] == [1]


@pytest.mark.parametrize("state", [S.REJECTED, S.FAILED, S.ARCHIVED])
def test_the_seat_is_not_for_everybody(store: Store, state: VersionState):
    with store.begin() as tx:
        bring(tx, 1, state)
        now = tx.models.state(MODEL)
    with pytest.raises(IllegalTransition), store.begin() as tx:
        seat(tx, 1, generation=now.generation, previous=now.champion)
    with pytest.raises(Conflict, match="no version 9"), store.begin() as tx:
        seat(tx, 9, generation=now.generation, previous=now.champion)


def test_the_seat_is_left_before_it_is_taken(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 1)
    with pytest.raises(Conflict, match="is still champion"), store.begin() as tx:
        action = SetChampion(version=2, generation=1, previous=1, reason="It won.")
        tx.registry.seat(MODEL, action, decision=1, at=AT)


def test_the_seat_is_never_left_empty(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        seat(tx, 1)
    with pytest.raises(Conflict, match="promote another version"), store.begin() as tx:
        move(tx, 1, S.CHAMPION, S.SUPERSEDED)
    with store.read() as tx:
        assert [v.state for v in tx.registry.versions(MODEL)] == [S.CHAMPION]


def test_models_do_not_touch_each_other(store: Store):
    with store.begin() as tx:
        for model in ("a", "b"):
            enter(tx, 1, model)
            seat(tx, 1, model=model)
    with store.read() as tx:
        assert [tx.models.state(m).champion for m in ("a", "b")] == [1, 1]
        assert [len(tx.facts.of(m)) for m in ("a", "b")] == [2, 2]


def test_who_does_not_sit_there_cannot_leave(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 1)
    with store.begin() as tx, pytest.raises(Conflict, match="v2 is candidate, not champion"):
        move(tx, 2, S.CHAMPION, S.SUPERSEDED)
    with store.begin() as tx, pytest.raises(Conflict, match="no version 9"):
        move(tx, 9, S.CHAMPION, S.SUPERSEDED)
    with store.read() as tx:
        assert tx.models.state(MODEL).champion == 1


def test_the_seat_changes_twice_in_one_transaction(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 1)
        seat(tx, 2, generation=1, previous=1)
        with pytest.raises(Conflict):
            move(tx, 1, S.CHAMPION, S.SUPERSEDED)
    with store.read() as tx:
        assert tx.models.state(MODEL).champion == 2
        assert [v.state for v in tx.registry.versions(MODEL)] == [S.CHAMPION, S.SUPERSEDED]


def test_versions_are_filtered(store: Store):
    with store.begin() as tx:
        for number in range(1, 6):
            enter(tx, number)
        seat(tx, 2)
        move(tx, 4, S.CANDIDATE, S.REJECTED)
        registry = tx.registry

        def numbers(**filters: object) -> list[int]:
            return [v.number for v in registry.versions(MODEL, **filters)]  # type: ignore[arg-type]

        assert numbers() == [5, 4, 3, 2, 1]
        assert numbers(states=LIVING) == [5, 3, 2, 1]
        assert numbers(states=[S.CHAMPION]) == [2]
        assert numbers(numbers={4, 1, 99}) == [4, 1]
        assert numbers(numbers={4, 1}, states=LIVING) == [1]
        assert numbers(states=LIVING, limit=2) == [5, 3]
        assert numbers(numbers=[]) == []
        assert registry.versions("other") == []


def test_versions_are_narrowed(store: Store):
    with store.begin() as tx:
        decision = decide(tx)
        for number in range(1, 5):
            action = RegisterVersion(
                version=number,
                run=f"{MODEL}.t{number}",
                digest=f"{'aB'[number % 2]}_%{number}",
                recipe="gbm",
                data_through=number // 2,
            )
            tx.registry.register(MODEL, action, decision=decision, at=AT + number * HOUR)
        registry = tx.registry

        def numbers(**within: object) -> list[int]:
            return [v.number for v in registry.versions(MODEL, within=Within(**within))]  # type: ignore[arg-type]

        assert numbers() == [4, 3, 2, 1]
        assert numbers(data=1) == [3, 2]
        assert numbers(digest="a_") == [4, 2]
        assert numbers(digest="b") == []
        assert numbers(digest="a%") == []
        assert numbers(since=AT + 3 * HOUR) == [4, 3]
        assert numbers(until=AT + 3 * HOUR) == [2, 1]
        assert numbers(since=AT + 2 * HOUR, data=1, digest="a") == [2]


def test_metrics_of_the_newest_evaluation_lie_over_those_of_training(store: Store):
    with store.begin() as tx:
        decision = decide(tx)
        for number in (1, 2):
            action = RegisterVersion(
                version=number,
                run=f"{MODEL}.t{number}",
                digest=f"d{number}",
                recipe="gbm",
                metrics={"mae": 20.0, "rows": 100.0},
            )
            tx.registry.register(MODEL, action, decision=decision, at=AT)
        for run, mae in (("a", 18.0), ("b", 17.0)):
            judged = Evaluation(
                run=run, version=1, champion=None, evidence=(), metrics={"mae": mae}
            )
            tx.registry.attach(MODEL, RecordEvaluation(evaluation=judged), decision=decision)
    with store.read() as tx:
        both = {2: {"mae": 20.0, "rows": 100.0}, 1: {"mae": 17.0, "rows": 100.0}}
        assert tx.registry.measured(MODEL) == both
        assert list(tx.registry.measured(MODEL)) == [2, 1]
        assert tx.registry.measured(MODEL, [1, 9]) == {1: both[1]}
        assert tx.registry.measured("other") == {}


def test_the_newest_evaluation_counts(store: Store):
    def evaluation(version: int, run: str) -> RecordEvaluation:
        gate = GateEvidence(gate="better", metric="mae", method="paired", p_pass=0.01, n=100)
        return RecordEvaluation(
            evaluation=Evaluation(
                run=run,
                version=version,
                champion=None,
                evidence=(gate,),
                holdout=HoldoutView(rows=100, labelled=90, start=AT),
                evaluated_at=AT,
                metrics={"mae": 17.0},
            )
        )

    with store.begin() as tx:
        decision = enter(tx, 1)
        enter(tx, 2)
        enter(tx, 3)
        for version, run in ((1, "a"), (2, "b"), (1, "c")):
            tx.registry.attach(MODEL, evaluation(version, run), decision=decision)
    with store.read() as tx:
        found = tx.registry.evaluations(MODEL)
        assert {number: e.run for number, e in found.items()} == {1: "c", 2: "b"}
        assert found[1] == evaluation(1, "c").evaluation
        assert set(tx.registry.evaluations(MODEL, [2, 3])) == {2}
        assert tx.registry.evaluations(MODEL, []) == {}
    with pytest.raises(Conflict, match="no version 9"), store.begin() as tx:
        tx.registry.attach(MODEL, evaluation(9, "d"), decision=decision)


def test_a_version_is_marked_verified(store: Store):
    with store.begin() as tx:
        decision = enter(tx, 1)
    with store.begin() as tx:
        tx.registry.mark_verified(MODEL, 1, decision=decision, at=AT)
        tx.registry.mark_verified(MODEL, 1, decision=decision, at=AT + timedelta(days=1))
    with store.read() as tx:
        assert tx.registry.versions(MODEL)[0].verified
    with pytest.raises(Conflict, match="no version 9"), store.begin() as tx:
        tx.registry.mark_verified(MODEL, 9, decision=decision, at=AT)


def test_a_seat_that_was_never_taken_has_no_history(store: Store):
    with store.begin() as tx:
        tx.models.state(MODEL)
        assert tx.registry.history(MODEL) == []
