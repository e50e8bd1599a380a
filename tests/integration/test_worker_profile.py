"""Profiles on a real Celery worker: what drifted, what broke its expectations, and a reference made once."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from controller.domain.rules import Expectation
from controller.domain.runs import Run, RunKind, RunState
from tests.support.workplace import DATA, Workplace, rows_of


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    place = Workplace.open(tmp_path_factory.mktemp("profiles"), INCUMBENT_GRACE="0.5")
    try:
        place.start_worker()
        yield place
    finally:
        place.close()


def _profile(place: Workplace, after: int, reference: int = 0, *references: str) -> Run:
    expects = (Expectation(column="x", check="max_null_rate", value=0.01),)
    details = {"after": after, "reference_through": reference, "references": list(references)}
    order = place.order(
        kind=RunKind.PROFILE, data=replace(DATA, expect=expects), details=details, recipe=""
    )
    place.ring(order)
    run = place.ended(order)
    assert run.state is RunState.DONE, run.reason
    return run


def test_new_data_are_held_against_their_expectations_and_the_reference(place: Workplace):
    place.bring(rows_of(0))
    first = _profile(place, after=0)
    assert first.result["columns"] == {}
    assert first.result["problem"] == "there is no earlier data to compare with"
    same = place.bring(rows_of(10, seed=1))
    calm = _profile(place, after=same.sequence - 1, reference=1)
    assert calm.result["columns"]["x"]["psi"] < 0.1
    kept = json.loads(place.artifacts.read_bytes(calm.result["reference"]))
    assert kept["profile"]["rows"] == 1000
    values = np.random.default_rng(3).normal(9.0, 1.0, 1000)
    moved = place.bring(rows_of(20, x=values))
    drifted = _profile(place, after=moved.sequence - 1, reference=1)
    assert drifted.result["columns"]["x"]["psi"] > 0.2
    assert "reference" not in drifted.result, "the reference of an earlier run was used"
    holes = place.bring(rows_of(30, x=np.where(np.arange(1000) < 500, np.nan, 1.0)))
    broken = _profile(place, after=holes.sequence - 1, reference=1)
    (item,) = broken.result["quarantine"]
    assert item["sequence"] == holes.sequence
    assert item["sentence"].startswith("x: 500 of 1000 values are missing")


def test_other_references_are_sums_of_kept_profiles_and_a_history_is_kept(place: Workplace):
    """Six calm batches make a history; the seventh has moved, and leaves it."""
    windows = ("previous", "same_season", "2013-01-01/2013-02-01")
    runs = []
    for day in range(7):
        values = np.random.default_rng(day).normal(1.0 if day == 6 else 0.0, 1.0, 1000)
        kept = place.bring(rows_of(400 + day, days=10, x=values))
        runs.append(_profile(place, kept.sequence - 1, 1, *windows))
    last = runs[-1].result
    assert last["judged"]["x"]["verdict"] == "alert"
    assert last["against"]["previous"]["columns"]["x"]["jensen_shannon"] > 0.1
    assert runs[-2].result["against"]["previous"]["columns"]["x"]["jensen_shannon"] < 0.05
    assert last["against"]["previous"]["batches"] == [runs[-2].result["data_through"]]
    season = last["against"]["same_season"]
    assert season["problem"].endswith("nobody can tell their season")
    assert last["against"][windows[2]]["problem"].startswith("there is no data of 2013")
    assert "ceiling" not in runs[0].result["judged"]["x"]
    assert last["judged"]["x"]["ceiling"]["psi"] < last["columns"]["x"]["psi"]
    profiles = json.loads(place.artifacts.read_bytes(last["profiles"]))
    assert [p["rows"] for p in profiles.values()] == [1000]
    reports = json.loads(place.artifacts.read_bytes(last["reports"]))
    assert set(reports) == {"training", *windows}
