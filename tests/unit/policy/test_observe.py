"""The champion is held against what came since; what that proves fires triggers and conditions, estimates only tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.domain.canonical import format_time
from controller.domain.decisions import Notify, Verdict
from controller.domain.rules import (
    DataSection,
    Hold,
    Margin,
    Reference,
    RollbackCondition,
    RollbackSection,
    Served,
)
from controller.domain.runs import Run, RunKind
from controller.domain.signals import SignalKind
from controller.policy.triggers import DecayTrigger, DriftTrigger, NewDataTrigger, SkewTrigger
from controller.ports import Batch
from tests.support.house import PASSES, House, evaluation_of, policy

DATA = DataSection(
    source="data/*.parquet",
    target="arr_delay",
    time="time_hour",
    key="id",
    served=Served(source="logs/*.parquet", prediction="prediction"),
)
ROWS = NewDataTrigger(name="rows", rows=20_000)
DECAY = DecayTrigger(name="decay", metric="mae", margin=Margin(value=0.1, relative=True))
SKEW = SkewTrigger(name="skew", metric="psi", above=0.2)
BACK = RollbackSection(
    when=(
        RollbackCondition(
            name="back", metric="mae", worse_than=Reference.PREVIOUS, margin=Margin(value=1.0)
        ),
    )
)


class Watched(House):
    """A house whose evaluations store their predictions."""

    def evaluated(self, run: Run, outcome: Any = PASSES) -> bool:
        plain = evaluation_of(run, outcome)
        plain["predictions"] = "9" * 64
        return self.finish(run, evaluation=plain)

    def work(self, outcome: Any = PASSES) -> list[Any]:
        """Obey until nothing is left to do; looks find nothing."""
        decided = self.tick()
        while (run := self.next_run()) is not None:
            if run.spec.kind is RunKind.TRAIN:
                self.trained(run)
            elif run.spec.kind is RunKind.EVALUATE:
                self.evaluated(run, outcome)
            else:
                self.finish(run, version=run.spec.version, readings=[], columns={})
            decided += self.tick()
        return decided

    def crowned(self) -> Watched:
        """With a champion in the seat that was judged on all there is."""
        self.data(30_000, "first")
        self.work()
        assert self.champion is not None
        return self

    def next_run(self) -> Run | None:
        """What was rung for; a ring that was not heeded comes again."""
        if (run := self.claim()) is not None:
            return run
        self.wall.advance(timedelta(minutes=2))
        self.tick()
        return self.claim()

    def due(self, minutes: float = 5, **moves: float) -> Run | None:
        """The run that is ordered a while later."""
        self.clock.advance(timedelta(minutes=minutes, **moves))
        self.tick()
        return self.next_run()

    def look(self) -> Run:
        """The look that new rows order."""
        self.data(10, f"new {self.clock.now()}")
        return claimed(self.due(), RunKind.DECAY)

    def reading(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "decay",
            "asked_by": "trigger",
            "metric": "mae",
            "version": self.champion,
            "worse_than": "training",
            "verdict": "decayed",
            "value": 19.0,
            "reference": 14.0,
            "limit": 15.4,
            "n": 4_000,
            "p_worse": 0.001,
            "sentence": "mae 19 on 4,000 labels, 14 (training), at most 15.4 is allowed",
        } | changes


def house(**changes: Any) -> Watched:
    return Watched(policy(**({"data": DATA, "triggers": (ROWS, DECAY)} | changes))).crowned()


def claimed(run: Run | None, kind: RunKind) -> Run:
    assert run is not None
    assert run.spec.kind is kind
    return run


def test_a_look_is_ordered_with_what_the_policy_asks_and_the_champions_record():
    here = house(rollback=BACK)
    run = here.look()
    details = run.spec.details
    assert run.spec.version == here.champion
    assert [(w["name"], w["asked_by"], w["worse_than"]) for w in details["watches"]] == [
        ("decay", "trigger", "training"),
        ("back", "rollback", "previous"),
    ]
    assert details["predictions"] == "9" * 64


def test_proven_decay_trains_and_the_decision_carries_the_numbers():
    here = house()
    run = here.look()
    here.finish(run, version=here.champion, readings=[here.reading()])
    decision = here.tick()[-1]
    assert decision.verdict is Verdict.TRAIN
    assert "decay (mae 19 on 4,000 labels, 14 (training)" in decision.reason
    node = next(n for n in decision.tree.children[-1].children if n.name == "decay")
    assert (node.values["value"], node.values["p_worse"]) == (19.0, 0.001)


@pytest.mark.parametrize("verdict", ["holding", "undecided", "not_enough_data"])
def test_what_is_not_proven_trains_nothing(verdict: str):
    here = house()
    run = here.look()
    here.finish(run, version=here.champion, readings=[here.reading(verdict=verdict)])
    assert here.tick()[-1].verdict is Verdict.NONE
    assert here.claim() is None


def test_labels_that_come_due_order_the_next_look():
    here = house()
    run = here.look()
    due = here.clock.now() + timedelta(days=1)
    here.finish(run, readings=[], look_again=format_time(due))
    assert here.due(minutes=60) is None
    with here.store.read() as tx:
        assert tx.models.state(here.rules.model).wake_at == due
    claimed(here.due(minutes=24 * 60), RunKind.DECAY)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=365)], ids=["hour", "year"])
def test_a_clock_that_was_ahead_keeps_nobody_waiting_for_labels(ahead: timedelta):
    """The look was ordered, and the next one planned, by a clock that has been set right since."""
    here = house()
    here.clock.advance(ahead)
    here.data(10, "second")
    run = here.look()
    here.finish(run, readings=[], look_again=format_time(here.clock.now() + timedelta(days=1)))
    here.tick()
    here.clock.advance(-ahead)
    run = claimed(here.due(minutes=1), RunKind.DECAY)
    here.finish(run, readings=[])
    assert here.due(minutes=60) is None, "once, and not again and again"


def test_nothing_new_orders_no_second_look():
    here = house()
    here.finish(here.look(), readings=[])
    assert here.due(minutes=24 * 60) is None
    here.look()


def test_new_data_within_a_minute_wait_for_the_next_look():
    here = house()
    here.finish(here.look(), readings=[])
    here.data(10, "second")
    assert here.due(minutes=0.5) is None
    claimed(here.due(minutes=0.6), RunKind.DECAY)


def test_a_proven_condition_rolls_back_by_labels():
    here = house(rollback=BACK)
    first = here.champion
    here.data(30_000, "second")
    here.work()
    assert here.champion != first
    run = here.look()
    proven = here.reading(name="back", asked_by="rollback", worse_than="previous")
    here.finish(run, version=here.champion, readings=[here.reading(), proven])
    here.work()
    assert here.champion == first
    told = next(d for d in here.told if d.verdict is Verdict.ROLLBACK)
    assert "mae worse than previous by 1: mae 19 on 4,000 samples" in told.reason


def test_without_anybody_to_go_back_to_the_trigger_trains():
    here = house(rollback=BACK)
    run = here.look()
    proven = here.reading(name="back", asked_by="rollback", worse_than="previous")
    here.finish(run, version=here.champion, readings=[here.reading(), proven])
    assert here.tick()[-1].verdict is Verdict.TRAIN


def test_an_estimate_alerts_and_never_rolls_back_or_trains():
    here = house(rollback=BACK, notify={"decay_expected": ("oncall",)})
    here.data(30_000, "second")
    here.work()
    champion = here.champion
    run = here.look()
    estimate = {
        "metric": "mae",
        "value": 99.0,
        "low": 98.0,
        "high": 100.0,
        "method": "dle",
        "is_estimate": True,
        "limit": 15.4,
        "worse": True,
        "news": True,
    }
    here.finish(run, version=champion, readings=[], estimates=[estimate])
    decisions = here.tick()
    (sent,) = [a for d in decisions for a in d.actions if isinstance(a, Notify)]
    assert sent.event == "decay_expected"
    assert "mae is estimated at 99 (dle, before labels came), the limit is 15.4" in sent.sentence
    assert here.claim() is None
    assert here.champion == champion
    assert {d.verdict for d in decisions} == {Verdict.NONE}


def test_people_are_told_after_one_batch_and_a_training_waits_for_two_of_three():
    drift = DriftTrigger(name="drift", metric="psi", above=0.2, hold=Hold(batches=2, of=3))
    here = house(triggers=(ROWS, drift), notify={"drifted": ("feed",)})
    verdicts = []
    for name, psi in (("b", 0.4), ("c", 0.1), ("d", 0.5)):
        here.data(5, name)
        run = claimed(here.due(), RunKind.PROFILE)
        moved = psi > 0.2
        here.finish(
            run,
            columns={"distance": {"psi": psi}},
            verdict="alert" if moved else "ok",
            reasons=["distance: psi 0.4 is over 0.25"],
            n=600,
        )
        decided = here.tick()
        told = [a for d in decided for a in d.actions if isinstance(a, Notify)]
        assert bool(told) is moved
        verdicts.append(Verdict.TRAIN in {d.verdict for d in decided})
    assert verdicts == [False, False, True]
    assert "psi of distance is 0.5, above 0.2; 2 of 2 batches among the last 3" in (
        here.told[-1].reason
    )


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        ({"significant": False}, "above 0.2, and chance may do that"),
        ({"significant": True, "ceiling": {"psi": 0.9}}, "within its history (up to 0.9)"),
    ],
    ids=["chance", "history"],
)
def test_an_effect_alone_is_no_alarm(judged: dict[str, Any], words: str):
    here = house(triggers=(ROWS, DriftTrigger(name="drift", metric="psi", above=0.2, hold=Hold())))
    here.data(5, "b")
    run = claimed(here.due(), RunKind.PROFILE)
    here.finish(run, columns={"distance": {"psi": 0.5}}, judged={"distance": judged}, n=600)
    decision = here.tick()[-1]
    assert decision.verdict is Verdict.NONE
    assert words in str(decision.tree)


def test_without_a_threshold_the_verdict_of_the_column_fires():
    here = house(triggers=(ROWS, DriftTrigger(name="drift", metric="psi", above=None, hold=Hold())))
    here.data(5, "b")
    run = claimed(here.due(), RunKind.PROFILE)
    here.finish(
        run, columns={"distance": {"psi": 0.5}}, judged={"distance": {"verdict": "alert"}}, n=600
    )
    assert here.tick()[-1].verdict is Verdict.TRAIN


def test_each_trigger_reads_its_own_reference():
    season = DriftTrigger(
        name="season", metric="psi", above=0.2, reference="same_season", hold=Hold()
    )
    here = house(triggers=(ROWS, season))
    here.data(5, "b")
    run = claimed(here.due(), RunKind.PROFILE)
    assert run.spec.details["references"] == ["same_season"]
    calm = {"same_season": {"columns": {"distance": {"psi": 0.01}}, "n": 600}}
    here.finish(run, columns={"distance": {"psi": 0.9}}, against=calm, n=600)
    assert here.tick()[-1].verdict is Verdict.NONE


def test_served_rows_order_a_skew_run_and_its_report_fires_the_trigger():
    here = house(triggers=(ROWS, SKEW))
    with here.store.begin() as tx:
        batch = Batch(uri="log", digest="d", size=1, rows=700)
        tx.data.add(f"{here.rules.model}/served", [batch], here.clock.now())
    here.signal(SignalKind.SERVED, "served:log", rows=700, sequence=1)
    run = claimed(here.due(), RunKind.SKEW)
    assert (run.spec.details["after"], run.spec.details["served_through"]) == (0, 1)
    here.finish(run, columns={"distance": {"psi": 0.6}}, n=700)
    decision = here.tick()[-1]
    assert decision.verdict is Verdict.TRAIN
    assert "skew (psi of distance is 0.6, above 0.2)" in decision.reason
    claimed(here.next_run(), RunKind.TRAIN)
    assert set(here.statuses().values()) == {"handled"}


def test_a_released_batch_counts_as_new_data():
    here = house(triggers=(ROWS,))
    here.data(30_000, "broken")
    with here.store.begin() as tx:
        tx.data.quarantine(here.rules.model, 2, "12 nulls")
    with here.store.read() as tx:
        assert tx.data.view(here.rules.model).batches == 1
    before = here.champion
    here.signal(
        SignalKind.RELEASE_BATCH, "r", sequence=2, rows=30_000, reason="seen", actor="person:ana"
    )
    here.work()
    assert any("person:ana released batch 2 from quarantine: seen" in d.reason for d in here.told)
    with here.store.read() as tx:
        assert tx.data.view(here.rules.model).batches == 2
    assert here.champion != before


def test_a_batch_that_is_not_there_cannot_be_released():
    here = house(triggers=(ROWS,))
    here.signal(SignalKind.RELEASE_BATCH, "r", sequence=99, actor="person:ana")
    assert "there is no batch 99 to release" in here.tick()[-1].reason


def _moved(here: Watched, name: str, psi: float = 0.5) -> Verdict:
    """A batch is profiled; what was decided about it last."""
    here.data(5, name)
    run = claimed(here.due(), RunKind.PROFILE)
    here.finish(run, columns={"distance": {"psi": psi}}, n=600)
    return here.tick()[-1].verdict


def test_an_alarm_must_hold_for_a_while_and_a_calm_batch_ends_it():
    drift = DriftTrigger(name="drift", metric="psi", above=0.2, hold=Hold(span=timedelta(hours=2)))
    here = house(triggers=(ROWS, drift))
    assert _moved(here, "b") is Verdict.NONE
    assert _moved(here, "calm", psi=0.01) is Verdict.NONE
    assert here.due(hours=3) is None
    assert _moved(here, "c") is Verdict.NONE
    with here.store.read() as tx:
        wake = tx.models.state(here.rules.model).wake_at
    assert wake is not None
    here.clock.set(wake)
    assert here.tick()[-1].verdict is Verdict.TRAIN


def test_an_alarm_that_keeps_firing_does_not_train_again():
    drift = DriftTrigger(
        name="drift", metric="psi", above=0.2, keep_firing_for=timedelta(days=1), hold=Hold()
    )
    here = house(triggers=(ROWS, drift))
    assert _moved(here, "b") is Verdict.TRAIN
    here.work()
    assert _moved(here, "c") is Verdict.NONE
    assert "still the alarm of" in str(here.told[-1].tree)
    here.clock.advance(timedelta(days=2))
    assert _moved(here, "d") is Verdict.TRAIN
