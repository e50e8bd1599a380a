"""Calibrated thresholds are exceeded by undrifted windows as often as was asked, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.domain.drift import DriftMetric, DriftVerdict
from controller.domain.errors import UserError
from controller.evidence.calibration import CalibrationPlan, calibrate_thresholds
from controller.evidence.drift import DriftOptions, compare_profiles, measure
from tests.unit.drift.samples import profiled


def rows(rng: np.random.Generator, n: int = 2000, shift: float = 0.0) -> dict[str, Any]:
    return {"x": rng.normal(shift, size=n), "g": rng.choice(list("abcdef"), size=n)}


def test_windows_of_the_reference_exceed_the_threshold_as_often_as_stated():
    rng = np.random.default_rng(2)
    layout, (reference, *batches) = profiled(
        rows(rng, 50_000), *(rows(rng, 1000) for _ in range(100))
    )
    plan = CalibrationPlan(rows=1000, draws=1000, false_alarms=0.1)
    found = calibrate_thresholds(layout, reference, plan, scope="x")
    limits = {t.metric: t.alert for t in found.columns["x"]}
    column = layout.by_name["x"]
    values = [measure(column, reference.by_name["x"], b.by_name["x"]).values for b in batches]
    for metric in (DriftMetric.JENSEN_SHANNON, DriftMetric.KS, DriftMetric.PSI):
        share = np.mean([v[metric] > limits[metric] for v in values])
        assert share == pytest.approx(0.1, abs=0.08), metric


def test_batches_that_wander_raise_the_thresholds():
    rng = np.random.default_rng(3)
    days = [rows(rng, shift=rng.normal(scale=0.5)) for _ in range(20)]
    layout, (_, *profiles) = profiled(rows(rng, 20_000), *days)
    plan = CalibrationPlan(rows=2000, false_alarms=0.1)
    wandering = calibrate_thresholds(layout, profiles, plan)
    still = calibrate_thresholds(layout, profiles[0], plan)
    assert wandering.columns["x"][0].alert > 3 * still.columns["x"][0].alert
    assert (wandering.from_batches, wandering.windows) == (True, 20)


def test_calibrated_thresholds_are_used():
    rng = np.random.default_rng(4)
    layout, (before, now) = profiled(rows(rng, 20_000), rows(rng, 20_000, shift=0.06))
    assert compare_profiles(layout, before, now).verdict is DriftVerdict.OK
    found = calibrate_thresholds(layout, before, CalibrationPlan(rows=20_000, draws=400))
    sharp = compare_profiles(layout, before, now, DriftOptions(calibrated=found.columns))
    assert sharp.column("x").verdict is DriftVerdict.ALERT
    assert sharp.column("g").verdict is DriftVerdict.OK


def test_the_same_seed_gives_the_same_thresholds():
    rng = np.random.default_rng(6)
    layout, (reference,) = profiled(rows(rng))
    plan = CalibrationPlan(rows=1000, draws=300)
    assert calibrate_thresholds(layout, reference, plan) == calibrate_thresholds(
        layout, reference, plan
    )


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (CalibrationPlan(rows=100), "too small to calibrate"),
        (CalibrationPlan(rows=1000, draws=10), "cannot find the 0.005 quantile"),
    ],
)
def test_a_plan_that_cannot_hold_its_rate_is_refused(plan, message):
    layout, (reference,) = profiled(rows(np.random.default_rng(1)))
    with pytest.raises(UserError, match=message):
        calibrate_thresholds(layout, reference, plan)


def test_few_batches_are_refused():
    layout, profiles = profiled(*(rows(np.random.default_rng(i)) for i in range(3)))
    with pytest.raises(UserError, match="3 batches are too few"):
        calibrate_thresholds(layout, profiles, CalibrationPlan(rows=1000))


def test_an_unknown_column_is_refused():
    layout, (reference,) = profiled(rows(np.random.default_rng(1)))
    with pytest.raises(UserError, match="no column 'z'"):
        calibrate_thresholds(layout, reference, CalibrationPlan(rows=1000), scope="z")
