"""An interval as a line of text."""

from __future__ import annotations

import pytest

from controller.entrypoints.cli.interval import WIDTH, interval_line

MAE = {"metric": "mae", "reference": 14.6}


def _values(
    low: float | None, value: float, high: float | None, **more: object
) -> dict[str, object]:
    return MAE | {"interval_low": low, "difference": value, "interval_high": high} | more


def test_a_loss_that_fell_is_a_gain_to_the_right_of_zero():
    line = interval_line(_values(-0.55, -0.4, -0.25))
    assert line is not None
    assert line.startswith("gain 0.25 [|")
    assert line.endswith("] 0.55")
    assert line.index("|") < line.index("●")


def test_zero_inside_the_bounds_is_seen():
    line = interval_line(_values(-0.9, -0.2, 0.6))
    assert line is not None
    inside = line[line.index("[") + 1 : line.index("]")]
    assert len(inside) == WIDTH
    assert 0 < inside.index("|") < inside.index("●") < WIDTH


def test_a_score_is_better_where_it_is_higher():
    line = interval_line(_values(0.01, 0.02, 0.03, metric="roc_auc", reference=0.8))
    assert line is not None
    assert line.startswith("gain 0.01")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(_values(None, -0.4, None), id="no interval"),
        pytest.param(_values(0.0, 0.0, 0.0), id="no width"),
        pytest.param(_values(-0.5, -0.4, -0.2, reference=None), id="a threshold"),
        pytest.param({}, id="no values"),
    ],
)
def test_what_has_no_interval_has_no_line(values: dict[str, object]):
    assert interval_line(values) is None
