"""The record of a champion in service, and the test that holds at all looks at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from controller.domain.records import Record, WindowSums, add_figure, bounded, figure
from controller.policy.record import HarmQuestion, judge_record, level_of, upper_bar

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MEAN = HarmQuestion(bar=14.0, alpha=0.05, higher_is_worse=True, bounded=False, min_samples=100)
RATE = HarmQuestion(bar=0.01, alpha=0.05, higher_is_worse=True, bounded=True, min_samples=100)


def record(spans: tuple[WindowSums, ...]) -> Record:
    return Record(version=2, metric="mae", window=86_400.0, since=SINCE, spans=spans)


def served(values: Sequence[tuple[float, int, float | None]], per_window: int = 24) -> Record:
    spans: tuple[WindowSums, ...] = ()
    for number, (value, rows, std) in enumerate(values):
        spans = add_figure(spans, figure(number // per_window, value, rows, std))
    return record(spans)


def test_levels_of_all_windows_add_up_to_alpha():
    assert math.isclose(sum(level_of(k, 0.05) for k in range(200_000)), 0.05, rel_tol=1e-4)


def test_a_mean_that_is_worse_is_shown_and_one_at_the_bar_is_not():
    assert judge_record(served([(15.5, 200, 14.0)] * 40), MEAN).bad
    assert not judge_record(served([(14.0, 200, 14.0)] * 40), MEAN).bad
    assert not judge_record(served([(12.0, 200, 14.0)] * 40), MEAN).bad


def test_a_higher_is_better_metric_is_read_the_other_way():
    ask = HarmQuestion(bar=0.8, alpha=0.05, higher_is_worse=False, bounded=True, min_samples=100)
    assert judge_record(served([(0.70, 200, None)] * 20), ask).bad
    assert not judge_record(served([(0.81, 200, None)] * 20), ask).bad


def test_a_regression_after_a_long_time_of_health_is_shown_since_its_window():
    found = judge_record(served([(0.005, 1000, None)] * 24 * 20 + [(0.03, 1000, None)] * 24), RATE)
    assert found.bad
    whole = served([(0.005, 1000, None)] * 24 * 20 + [(0.03, 1000, None)] * 24).whole()
    assert whole.total / whole.rows < RATE.bar  # the mean of the whole reign hides it
    assert 0 < found.window <= 20


def test_too_few_samples_show_nothing():
    found = judge_record(served([(1.0, 50, None)]), RATE)
    assert not found.bad
    assert found.why_not == "50 samples, at least 100 are needed"


def test_figures_without_a_spread_are_observations_of_their_own():
    rng = Random(5)
    latency = HarmQuestion(
        bar=50.0, alpha=0.05, higher_is_worse=True, bounded=False, min_samples=10
    )
    slow = [(rng.gauss(80, 8), 1, None) for _ in range(30)]
    fine = [(rng.gauss(40, 8), 1, None) for _ in range(30)]
    assert judge_record(served(slow), latency).bad
    assert not judge_record(served(fine), latency).bad
    few = HarmQuestion(bar=50.0, alpha=0.05, higher_is_worse=True, bounded=False, min_samples=1)
    assert "before there are 10 figures" in judge_record(served(slow[:5]), few).why_not


def test_looking_at_each_figure_rarely_takes_a_healthy_champion_away():
    """At the bar itself, the worst that still is health: 300 champions of 120 looks, far below five in a hundred."""
    rng, false = Random(11), 0
    for _ in range(300):
        spans: tuple[WindowSums, ...] = ()
        for number in range(120):
            failures = sum(rng.random() < 0.01 for _ in range(100))
            spans = add_figure(spans, figure(number // 24, failures / 100, 100, None))
            if judge_record(record(spans), RATE).bad:
                false += 1
                break
    assert false <= 15


def test_a_reference_is_no_better_known_than_its_rows_allow():
    few, many = (figure(0, 14.0, rows, 14.0) for rows in (100, 10_000))
    bars = [upper_bar(one, 0.025, higher_is_worse=True, bounded=False) for one in (few, many)]
    assert bars[0] > bars[1] > 14.0
    assert math.isclose(bars[1], 14.0 + 1.959964 * 14.0 / 100, rel_tol=1e-6)


def test_old_windows_become_one():
    spans = tuple(figure(k, 1.0, 10, None) for k in range(100))
    kept = bounded(spans, 64)
    assert len(kept) == 64
    assert (kept[0].index, kept[0].rows, kept[1].index) == (0, 370, 37)
    assert sum(span.rows for span in kept) == 1000


@pytest.mark.parametrize(("hours", "index"), [(0, 0), (23, 0), (24, 1), (-5, 0)])
def test_windows_begin_with_the_reign(hours: int, index: int):
    assert record(()).index_of(SINCE + timedelta(hours=hours)) == index
