"""Verdicts: what must alarm alarms, what must not does not, and too few rows give no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from controller.domain.canonical import to_plain
from controller.domain.codec import load_plain
from controller.domain.drift import (
    THRESHOLDS,
    DriftMetric,
    DriftReport,
    DriftVerdict,
    worst_verdict,
)
from controller.domain.errors import NotFound, UserError
from controller.domain.profiles import merge_profiles
from controller.evidence.drift import DriftOptions, compare_profiles, history_ceiling
from tests.unit.drift.samples import drift_of, profiled, report

OK, WARN, ALERT, FEW = (
    DriftVerdict.OK,
    DriftVerdict.WARN,
    DriftVerdict.ALERT,
    DriftVerdict.NOT_ENOUGH_DATA,
)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def with_nulls(rows: Any, share: float, rng: np.random.Generator) -> pa.Array:
    return pa.array(rows, mask=rng.random(len(rows)) < share)


@pytest.mark.parametrize("seed", range(5))
def test_undrifted_columns_of_every_shape_are_calm(seed):
    rng = np.random.default_rng(seed)

    def rows(n: int) -> dict[str, Any]:
        return {
            "normal": rng.normal(size=n),
            "lognormal": rng.lognormal(size=n),
            "pareto": rng.pareto(1.5, size=n),
            "zeros": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(size=n)),
            "integer": rng.poisson(4, size=n),
            "two": rng.choice(["a", "b"], size=n),
            "many": rng.integers(0, 500, size=n).astype(str),
            "thousands": np.char.add("c", rng.zipf(1.4, size=n).astype(str)),
            "nulls": with_nulls(rng.normal(size=n), 0.3, rng),
            "boolean": rng.random(n) < 0.2,
        }

    found = report(rows(20_000), rows(1000))
    assert found.verdict is OK, found.reasons


SHIFTED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "mean by 0.3 deviations": (lambda r, n: r.normal(size=n), lambda r, n: r.normal(0.3, size=n)),
    "spread doubled": (lambda r, n: r.normal(size=n), lambda r, n: r.normal(scale=2, size=n)),
    "scale of a heavy tail": (
        lambda r, n: r.pareto(1.2, size=n),
        lambda r, n: 1.6 * r.pareto(1.2, size=n),
    ),
    "an outlier and a shift": (
        lambda r, n: r.normal(size=n),
        lambda r, n: np.append(r.normal(0.4, size=n - 1), 1e15),
    ),
    "infinity and a shift": (
        lambda r, n: r.normal(size=n),
        lambda r, n: np.append(r.normal(0.4, size=n - 1), np.inf),
    ),
    "an atom appears": (
        lambda r, n: r.normal(size=n),
        lambda r, n: np.where(r.random(n) < 0.2, 0.0, r.normal(size=n)),
    ),
    "a fifth of the mass between categories": (
        lambda r, n: r.choice(list("abcd"), size=n, p=[0.4, 0.3, 0.2, 0.1]),
        lambda r, n: r.choice(list("abcd"), size=n, p=[0.2, 0.3, 0.4, 0.1]),
    ),
    "unseen categories": (
        lambda r, n: r.choice(list("abcd"), size=n),
        lambda r, n: np.where(r.random(n) < 0.03, "new", r.choice(list("abcd"), size=n)),
    ),
    "integers": (lambda r, n: r.poisson(4, size=n), lambda r, n: r.poisson(5, size=n)),
    "a boolean": (lambda r, n: r.random(n) < 0.2, lambda r, n: r.random(n) < 0.4),
    "lengths of text": (
        lambda r, n: np.char.add("t" * 8, r.integers(0, 10**9, size=n).astype(str)),
        lambda r, n: np.char.add("t", r.integers(0, 10**9, size=n).astype(str)),
    ),
    "not numbers any more": (
        lambda r, n: r.normal(size=n),
        lambda r, n: np.where(r.random(n) < 0.1, np.nan, r.normal(size=n)),
    ),
}


@pytest.mark.parametrize("change", SHIFTED)
def test_what_has_moved_alarms(change, rng):
    before, now = SHIFTED[change]
    found = drift_of(before(rng, 20_000), now(rng, 2000))
    assert found.verdict is ALERT, found
    assert found.firing
    assert found.significant
    assert found.moved
    assert abs(found.moved[0].current - found.moved[0].reference) > 0.01


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (0.0, 0.9, ALERT),
        (0.01, 0.05, ALERT),
        (0.30, 0.36, WARN),
        (0.2, 0.05, ALERT),
        (0.1, 0.1, OK),
    ],
)
def test_nulls_are_drift(before, now, verdict, rng):
    rows = [
        with_nulls(rng.normal(size=n), share, rng) for n, share in ((40_000, before), (10_000, now))
    ]
    found = drift_of(*rows)
    null_verdict = ALERT if "null_rate" in found.firing and verdict is ALERT else found.verdict
    assert null_verdict is verdict
    assert found.values["null_rate"] == pytest.approx(abs(now - before), abs=0.015)


def test_a_column_that_becomes_all_null_has_an_honest_report(rng):
    found = drift_of(rng.normal(size=2000), pa.array([None] * 2000, pa.float64()))
    assert found.verdict is ALERT
    assert "ks" not in found.values
    assert "wasserstein" not in found.values


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.timestamp("us")], ids=str)
def test_a_column_that_always_was_null_has_not_drifted(kind):
    assert drift_of(pa.array([None] * 900, kind), pa.array([None] * 900, kind)).verdict is OK


@pytest.mark.parametrize("value", [3.25, 7, "same", True], ids=str)
def test_a_constant_has_not_drifted(value):
    assert drift_of([value] * 900, [value] * 600).verdict is OK


def test_a_constant_that_changes_alarms():
    assert drift_of([3.25] * 900, [3.5] * 600).verdict is ALERT


@pytest.mark.parametrize("rows", [0, 1, 499])
def test_too_few_rows_are_no_answer(rows, rng):
    found = drift_of(rng.normal(size=2000), pa.array(rng.normal(5, size=rows), pa.float64()))
    assert found.verdict is FEW
    assert found.values == {}
    assert f"the batch has {rows} rows" in found.reasons[0]


def test_a_small_reference_is_no_answer(rng):
    found = drift_of(rng.normal(size=300), rng.normal(size=2000))
    assert found.verdict is FEW
    assert "the reference has 300 rows" in found.reasons[0]


def test_a_missing_column_alarms_at_any_size(rng):
    for n in (100, 1000):
        found = report(
            {"x": rng.normal(size=n), "y": rng.normal(size=n)}, {"x": rng.normal(size=n)}
        )
        assert found.column("y").verdict is ALERT
        assert "the column is missing" in found.column("y").reasons


def test_a_changed_type_is_told(rng):
    numbers = rng.normal(size=2000)
    found = drift_of(numbers, [*numbers.astype(str)[:1900], *["unknown"] * 100])
    assert found.verdict is ALERT
    assert "the type changed to VARCHAR, and 100 values cannot be read" in found.reasons
    assert drift_of(numbers, numbers.astype(str)).verdict is WARN


def test_time_stamps_drift_by_their_nulls_only():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    before = [start + timedelta(minutes=i) for i in range(3000)]
    later = [start + timedelta(days=300, seconds=i) for i in range(1000)]
    assert drift_of(before, later).verdict is OK
    assert drift_of(before, [*later[:500], *[None] * 500]).verdict is ALERT


def test_expected_unseen_values_are_no_alarm(rng):
    names = rng.zipf(1.3, size=12_000).astype(str)
    found = drift_of([f"c{n}" for n in names[:10_000]], [f"c{n}" for n in names[10_000:]])
    assert found.values["unseen_rate"] < 0.005
    assert found.verdict is OK


def test_a_column_of_rare_values_only_still_sees_unseen_ones(rng):
    reference = [f"c{i % 2500}" for i in range(10_000)]
    assert drift_of(reference, reference[:2000]).verdict is OK
    fresh = drift_of(reference, [*reference[:1500], *(f"new{i}" for i in range(500))])
    assert fresh.verdict is ALERT
    assert "unseen_rate" in fresh.firing


def test_another_window_may_be_the_reference(rng):
    rows = [{"x": rng.choice(list("abcdef"), size=5000)} for _ in range(3)]
    layout, (_, second, third) = profiled(*rows)
    options = DriftOptions(training_reference=False)
    assert compare_profiles(layout, second, third, options).verdict is OK
    both = merge_profiles([second, third])
    assert compare_profiles(layout, both, third, options).reference_rows == 10_000


def test_the_verdict_is_that_of_the_critical_columns(rng):
    def rows(shift: float) -> dict[str, Any]:
        return {"price": rng.normal(size=3000), "noise": rng.normal(shift, size=3000)}

    assert report(rows(0), rows(1)).verdict is ALERT
    calm = report(rows(0), rows(1), DriftOptions(critical=("price",)))
    assert (calm.verdict, calm.reasons) == (OK, ())
    assert calm.column("noise").verdict is ALERT


@pytest.mark.parametrize(
    ("critical", "message"), [(("absent",), "'absent' is not in the reference"), ((), "is empty")]
)
def test_critical_columns_must_exist(critical, message, rng):
    rows = {"x": rng.normal(size=600)}
    with pytest.raises(UserError, match=message):
        report(rows, rows, DriftOptions(critical=critical))


def test_profiles_of_another_layout_are_refused(rng):
    layout, (before, _) = profiled({"x": rng.normal(size=600)}, {"x": rng.normal(size=600)})
    with pytest.raises(UserError, match="the current profile was counted with layout"):
        compare_profiles(layout, before, replace(before, layout="0" * 64))


def test_a_report_knows_its_columns_only(rng):
    rows = {"x": rng.normal(size=600)}
    with pytest.raises(NotFound, match="no column 'y'"):
        report(rows, rows).column("y")


def test_a_column_that_always_wanders_must_wander_further(rng):
    before, now = rng.normal(size=5000), rng.normal(0.4, size=5000)
    loud = drift_of(before, now)
    accepted = [loud.values] * 6
    quiet = drift_of(before, now, DriftOptions(history={"x": accepted}))
    assert (loud.verdict, quiet.verdict) == (ALERT, OK)
    assert any("within its history" in reason for reason in quiet.reasons)
    far = drift_of(before, now + 1, DriftOptions(history={"x": accepted}))
    assert far.verdict is ALERT


def test_history_needs_five_batches():
    assert history_ceiling([{"psi": 0.1}] * 4, DriftMetric.PSI) is None
    assert history_ceiling([{"psi": v} for v in (1, 2, 3, 4, 5)], DriftMetric.PSI) == pytest.approx(
        3 + 3 * np.std([1, 2, 3, 4, 5], ddof=1)
    )


def test_significance_without_effect_is_calm(rng):
    found = drift_of(rng.normal(size=400_000), rng.normal(0.02, size=400_000))
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.significant
    assert found.verdict is OK


def test_an_effect_without_significance_is_calm(rng):
    before, now = rng.normal(size=600), rng.normal(0.12, size=600)
    found = drift_of(before, now, DriftOptions(false_discovery_rate=1e-12))
    assert (found.significant, found.verdict) == (False, OK)


def test_a_report_survives_json(rng):
    found = report(
        {"x": rng.normal(size=900), "g": ["a"] * 900},
        {"x": rng.normal(1, size=900), "g": ["b"] * 900},
    )
    plain = json.loads(json.dumps(to_plain(found), allow_nan=False))
    assert load_plain(DriftReport, plain) == found
    assert plain["columns"][0]["verdict"] == "alert"


def test_numbers_near_the_end_of_the_scale_do_not_break_a_report(rng):
    found = drift_of(rng.normal(size=900) * 1e307, rng.normal(size=900) * 1e306)
    json.dumps(to_plain(found), allow_nan=False)


def test_the_worst_verdict_wins_and_nothing_is_not_calm():
    assert worst_verdict([OK, FEW, WARN]) is WARN
    assert worst_verdict([OK, FEW]) is FEW
    assert worst_verdict([]) is FEW


def test_every_threshold_has_a_reason_and_warns_before_it_alerts():
    assert all(t.reason and 0 < t.warn <= t.alert for t in THRESHOLDS)
    assert len({t.metric for t in THRESHOLDS}) == len(THRESHOLDS)
