"""Decay is proven when it is there, seldom when it is not, at any number of looks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from controller.domain.canonical import to_plain
from controller.domain.codec import load_plain
from controller.domain.decay import DecayReport, DecayVerdict
from controller.evidence.decay import DecayPlan, LabelledRows, judge_decay, metrics_by_window
from controller.evidence.inputs import Unusable

START = datetime(2013, 1, 1, tzinfo=UTC)


def stream(
    seed: int, days: int, *, per_day: int = 50, later: float = 1.0, at: int = 10**9
) -> LabelledRows:
    """Errors of size 1, with a common part a day; from day ``at`` on they are ``later`` times as large."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    common = rng.normal(scale=0.1, size=days)[day]
    error = rng.normal(size=day.size) * np.where(day >= at, later, 1.0) + common
    times = np.datetime64("2013-01-01") + day.astype("timedelta64[D]")
    return LabelledRows(truth=np.zeros(day.size), prediction=error, times=times)


def plan(**changes: Any) -> DecayPlan:
    values: dict[str, Any] = {"metric": "mae", "reference": 0.8, "margin": 0.1, "relative": True}
    return DecayPlan(**(values | changes))


def test_decay_is_proven_and_dated():
    found = judge_decay(stream(1, 60, later=1.6, at=30), plan())
    assert found.verdict is DecayVerdict.DECAYED
    assert found.proven_at is not None
    assert START + timedelta(days=30) < found.proven_at < START + timedelta(days=45)
    assert "proven at" in found.reasons[0]


def test_no_decay_is_proven_in_the_long_run():
    found = judge_decay(stream(2, 60), plan(margin=0.3))
    assert found.verdict is DecayVerdict.HOLDING
    assert found.high is not None
    assert found.high < found.limit


def test_thirty_looks_at_no_decay_seldom_prove_any():
    # the mean of |normal| is 0.798 + the day's common part; at the limit itself half would fail a bare look
    proven = sum(
        judge_decay(stream(seed, 40), plan(reference=0.806, margin=0.0)).proven_at is not None
        for seed in range(60)
    )
    assert proven <= 6


def test_decay_by_a_hair_is_undecided():
    assert judge_decay(stream(3, 12), plan(margin=0.01)).verdict is DecayVerdict.UNDECIDED


def test_a_score_decays_downwards():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 4000)
    wrong = rng.random(4000) < np.repeat([0.1, 0.35], 2000)
    times = np.datetime64("2013-01-01") + np.repeat(np.arange(40), 100).astype("timedelta64[D]")
    rows = LabelledRows(truth=truth, prediction=np.where(wrong, 1 - truth, truth), times=times)
    found = judge_decay(rows, plan(metric="accuracy", reference=0.9, margin=0.05))
    assert found.limit == pytest.approx(0.855)
    assert found.verdict is DecayVerdict.DECAYED


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (stream(1, 3), "3 blocks, and 5 are needed"),
        (stream(1, 6, per_day=10), "60 labels, and 100 are needed"),
        (LabelledRows(truth=[], prediction=[], times=np.array([], "datetime64[s]")), "0 labels"),
    ],
    ids=["few days", "few labels", "none"],
)
def test_too_few_labels_are_no_answer(rows, reason):
    found = judge_decay(rows, plan())
    assert found.verdict is DecayVerdict.NOT_ENOUGH_DATA
    assert reason in found.reasons[0]


def test_metrics_by_day_and_slice_with_their_labels():
    times = [START + timedelta(hours=h) for h in (0, 1, 25, 26, 27)]
    rows = LabelledRows(
        truth=np.zeros(5),
        prediction=np.array([1.0, 3.0, 2.0, 2.0, 5.0]),
        times=np.array(times, dtype=object),
        slices=["a", "b", "a", "a", "b"],
    )
    found = metrics_by_window("mae", rows, timedelta(days=1))
    assert [(p.slice, p.labels, p.value) for p in found] == [
        (None, 2, 2.0),
        ("a", 1, 1.0),
        ("b", 1, 3.0),
        (None, 3, 3.0),
        ("a", 2, 2.0),
        ("b", 1, 5.0),
    ]
    assert found[3].start == START + timedelta(days=1)


def test_a_window_with_too_few_labels_has_no_value():
    found = metrics_by_window("mae", stream(1, 2, per_day=3), timedelta(days=1), min_labels=5)
    assert [(p.labels, p.value) for p in found] == [(3, None), (3, None)]


def test_the_auc_of_one_class_has_no_value():
    times = np.array(["2013-01-01"] * 20, dtype="datetime64[D]")
    rows = LabelledRows(
        truth=np.ones(20, int), prediction=np.linspace(0, 1, 20), times=times, classes=[0, 1]
    )
    assert metrics_by_window("roc_auc", rows, timedelta(days=1))[0].value is None


WRONG: dict[str, tuple[LabelledRows, dict[str, Any], str]] = {
    "an unknown metric": (stream(1, 9), {"metric": "mea"}, "mea"),
    "a naive time": (
        LabelledRows(truth=[1.0], prediction=[1.0], times=[datetime(2013, 1, 1)]),  # noqa: DTZ001
        {},
        "no time zone",
    ),
    "a missing time": (
        LabelledRows(truth=[1.0], prediction=[1.0], times=np.array(["NaT"], "datetime64[s]")),
        {},
        "a time is missing",
    ),
    "numbers for times": (
        LabelledRows(truth=[1.0], prediction=[1.0], times=[5]),
        {},
        "expected datetimes",
    ),
    "lengths": (
        LabelledRows(truth=[1.0], prediction=[], times=[START]),
        {},
        "1 labels and 0 values",
    ),
    "no window": (stream(1, 9), {"block": timedelta(0)}, "no length"),
}


@pytest.mark.parametrize("case", WRONG)
def test_rows_that_cannot_be_scored_are_refused(case):
    rows, changes, message = WRONG[case]
    with pytest.raises(Unusable, match=message):
        judge_decay(rows, plan(**changes))


def test_a_report_survives_json():
    found = judge_decay(stream(1, 30), plan())
    assert (
        load_plain(DecayReport, json.loads(json.dumps(to_plain(found), allow_nan=False))) == found
    )
