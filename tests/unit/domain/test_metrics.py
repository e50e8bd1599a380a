"""The table of metrics: directions, aliases, percentile names, the sentence for a typo."""

from __future__ import annotations

import math

import pytest

from controller.domain.metrics import (
    ALIASES,
    METRICS,
    Direction,
    find_metric,
    metric_names,
    unknown_metric_sentence,
)


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("mae", Direction.LOWER),
        ("rmse", Direction.LOWER),
        ("log_loss", Direction.LOWER),
        ("r2", Direction.HIGHER),
        ("auc", Direction.HIGHER),
        ("f1", Direction.HIGHER),
        ("latency_ms_p95", Direction.LOWER),
        ("prediction_change_rate", Direction.LOWER),
    ],
)
def test_direction(name: str, direction: Direction) -> None:
    metric = find_metric(name)
    assert metric is not None
    assert metric.direction is direction


@pytest.mark.parametrize("name", sorted(METRICS))
def test_better_follows_the_direction_and_nan_is_never_better(name: str) -> None:
    metric = METRICS[name]
    assert metric.better(0.1, 0.2) is metric.lower_is_better
    assert metric.better(0.2, 0.1) is not metric.lower_is_better
    assert not metric.better(0.1, 0.1)
    assert not metric.better(math.nan, 0.1)
    assert not metric.better(0.1, math.nan)


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_alias_finds_the_metric_under_its_own_name(alias: str) -> None:
    metric = find_metric(alias)
    assert metric is not None
    assert metric.name == ALIASES[alias]


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("latency_ms_p95", 95.0),
        ("latency_ms_p999", 99.9),
        ("pinball_p5", 5.0),
        ("absolute_error_p90", 90.0),
    ],
)
def test_percentile_names(name: str, percent: float) -> None:
    metric = find_metric(name)
    assert metric is not None
    assert metric.name == name
    assert metric.percent == pytest.approx(percent)


@pytest.mark.parametrize("name", ["maee", "mae_p90", "pinball_p0", "latency_ms_p", "", "MAE"])
def test_unknown_names_are_none(name: str) -> None:
    assert find_metric(name) is None


def test_offered_names_are_all_known() -> None:
    assert all(find_metric(name) for name in metric_names())


def test_sentence_for_a_typo_names_the_nearest() -> None:
    assert unknown_metric_sentence("rmsee").startswith(
        "Metric 'rmsee' is not known: did you mean rmse"
    )
    assert "known are" in unknown_metric_sentence("qqqqqqqq")
