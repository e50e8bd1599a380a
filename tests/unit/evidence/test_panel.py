"""The panel beside the gates: spread and calibration of the answers of both versions."""

from __future__ import annotations

import numpy as np
import pytest

from controller.domain.canonical import canonical_json
from controller.evidence.panel import BINS, GROUPS, panel
from controller.evidence.scored import Scored, ScoredSide

RNG = np.random.default_rng(7)


def scored(y: np.ndarray, **sides: ScoredSide) -> Scored:
    return Scored(run="m.r1", y=y, sides=sides, baseline={})


def test_numbers_are_spread_over_bins_and_compared_with_labels_in_equal_groups():
    y = RNG.normal(10, 4, 1000)
    good, flat = (
        ScoredSide(name="challenger v2", values=y + 0.0),
        ScoredSide(name="champion v1", values=y * 0 + 10.0),
    )
    found = panel(scored(y, challenger=good, champion=flat))
    shares = found["distribution"]["shares"]
    assert len(found["distribution"]["edges"]) == BINS + 1
    assert all(sum(column) == pytest.approx(1, abs=1e-4) for column in shares.values())
    curve = found["calibration"]["sides"]["challenger"]
    assert len(curve) == GROUPS
    assert [n for _, _, n in curve] == [100] * GROUPS
    assert all(answer == pytest.approx(label) for answer, label, _ in curve)
    assert len(canonical_json(found)) < 4_000


def test_two_classes_compare_probability_with_frequency():
    y = np.array(["late", "on time"] * 200)
    p = np.where(y == "on time", 0.8, 0.3)
    side = ScoredSide(
        name="challenger v2", values=np.where(p > 0.5, "on time", "late"),
        probabilities=np.column_stack([1 - p, p]), classes=("late", "on time"),
    )  # fmt: skip
    found = panel(scored(y, challenger=side))
    assert found["distribution"]["classes"] == ["late", "on time"]
    assert found["distribution"]["shares"]["challenger"] == [0.5, 0.5]
    assert found["calibration"]["sides"]["challenger"][0][:2] == [0.3, 0.0]


def test_values_that_are_no_numbers_are_left_out():
    y = np.array([1.0, 2.0, 3.0, np.nan])
    side = ScoredSide(name="challenger v2", values=np.array([1.0, np.inf, 3.0, 4.0]))
    assert "NaN" not in canonical_json(panel(scored(y, challenger=side)))


def test_without_answers_there_is_no_panel():
    side = ScoredSide(name="challenger v2", problem="it does not load")
    assert panel(scored(np.array([1.0]), challenger=side)) == {}
