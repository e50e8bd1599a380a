"""New data are looked at before they are believed."""

from __future__ import annotations

from typing import Any

from controller.domain.decisions import Verdict
from controller.domain.rules import DataSection, Expectation, Hold
from controller.domain.runs import Run, RunKind
from controller.policy.triggers import DriftTrigger, NewDataTrigger
from tests.support.house import House, policy

EXPECTS = DataSection(
    source="data/*.parquet",
    target="arr_delay",
    expect=(Expectation(column="carrier", check="max_null_rate", value=0),),
)
DRIFT = DriftTrigger(name="drift", metric="psi", above=0.2, columns=("distance",), hold=Hold())
ROWS = NewDataTrigger(name="rows", rows=20_000)


def _profile(house: House, **result: Any) -> None:
    run = _claimed(house)
    assert run.spec.kind is RunKind.PROFILE
    house.finish(run, **result)


def _claimed(house: House) -> Run:
    run = house.claim()
    assert run is not None
    return run


def test_without_drift_or_expectations_nobody_looks():
    house = House(policy())
    house.data(5, "a")
    house.tick()
    assert house.claim() is None


def test_training_waits_for_the_check_and_starts_after_it():
    house = House(policy(data=EXPECTS))
    house.data(30_000, "a")
    ordered, waits = house.tick()
    assert "checks the new data" in ordered.reason
    assert "the newest data are being checked" in waits.answers[0].reason
    _profile(house, columns={}, n=30_000)
    assert house.tick()[-1].verdict is Verdict.TRAIN


def test_a_batch_that_breaks_its_expectations_trains_nothing():
    house = House(policy(data=EXPECTS))
    signal = house.data(30_000, "a")
    with house.store.read() as tx:
        found = tx.signals.get(signal)
    assert found is not None
    house.tick()
    _profile(
        house,
        quarantine=[
            {"sequence": 1, "uri": "a", "sentence": "carrier is null in 12 of 30,000 rows"}
        ],
    )
    decision = house.tick()[0]
    assert decision.verdict is Verdict.NONE
    assert "1 batch quarantined: a: carrier is null in 12 of 30,000 rows" in decision.reason
    with house.store.read() as tx:
        assert tx.data.view(house.rules.model).batches == 0
    assert house.champion is None
    assert all(d.verdict is not Verdict.TRAIN for d in house.told)


def test_a_check_that_failed_trains_nothing_and_says_why():
    house = House(policy(data=EXPECTS))
    house.data(30_000, "a")
    house.tick()
    house.fail(_claimed(house), "a.parquet is cut off")
    decisions = house.tick()
    assert any("a.parquet is cut off" in d.reason for d in decisions)
    assert all(d.verdict is not Verdict.TRAIN for d in house.told)


def test_a_profile_that_drifted_fires_the_trigger():
    house = House(policy(triggers=(DRIFT,)))
    house.data(30_000, "a")
    house.tick()
    _profile(house, columns={"distance": {"psi": 0.1}}, n=30_000)
    assert house.tick()[-1].verdict is Verdict.NONE
    house.data(30_000, "b")
    house.tick()
    _profile(house, columns={"distance": {"psi": 0.4}}, n=30_000)
    decision = house.tick()[-1]
    assert decision.verdict is Verdict.TRAIN
    assert "psi of distance is 0.4, above 0.2" in decision.reason


def test_each_batch_is_looked_at_once():
    house = House(policy(triggers=(DRIFT, ROWS)))
    for name in ("a", "b"):
        house.data(5, name)
        house.tick()
        _profile(house, columns={"distance": {"psi": 0.1}}, n=5)
        house.tick()
    assert house.claim() is None
    assert house.tick() == []
