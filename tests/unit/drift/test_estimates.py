"""Estimates before labels come are close to the truth where their assumption holds, and say what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from controller.evidence.estimates import (
    estimate_classifier,
    estimate_regressor,
)
from controller.evidence.inputs import Unusable
from controller.evidence.scores import score


def classified(seed: int, n: int, centre: float) -> tuple[Any, Any]:
    """Labels, and over-confident probabilities of a model whose inputs lie around ``centre``."""
    rng = np.random.default_rng(seed)
    x = rng.normal(centre, 1.5, size=n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    return truth, 1 / (1 + np.exp(-2 * x))


@pytest.mark.parametrize(
    "metric",
    ["accuracy", "error_rate", "f1", "precision", "recall", "roc_auc", "brier", "log_loss"],
)
def test_a_classifier_is_estimated_after_its_inputs_moved(metric):
    reference, now = classified(1, 20_000, 0.0), classified(2, 20_000, 0.8)
    found = estimate_classifier(metric, *reference, now[1])
    said = (now[1] >= 0.5).astype(int)
    labelled = metric in ("accuracy", "error_rate", "f1", "precision", "recall")
    truth = score(metric, now[0], said if labelled else now[1], classes=[0, 1])
    assert found.value == pytest.approx(truth, abs=0.025)
    assert found.low < found.value < found.high
    assert found.is_estimate
    assert found.method == "cbpe"
    assert "same inputs" in found.assumption


def test_a_regressor_is_estimated_from_rows_like_these():
    rng = np.random.default_rng(3)

    def rows(n: int, scale: float) -> tuple[Any, Any]:
        prediction = rng.gamma(2, scale, size=n)
        return prediction + rng.normal(size=n) * prediction, prediction

    before, now = rows(20_000, 10.0), rows(5000, 14.0)
    found = estimate_regressor("mae", (*before, before[1]), now[1])
    assert found.value == pytest.approx(np.abs(now[0] - now[1]).mean(), rel=0.06)
    assert found.value > 1.2 * np.abs(before[0] - before[1]).mean()
    assert found.is_estimate


TRUTH, P = classified(9, 500, 0.0)
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "few rows": (
        lambda: estimate_classifier("accuracy", TRUTH[:50], P[:50], P),
        "too few to calibrate",
    ),
    "one class": (lambda: estimate_classifier("accuracy", np.ones(500), P, P), "two classes"),
    "no probability": (
        lambda: estimate_classifier("accuracy", TRUTH, P * 3, P),
        "not between 0 and 1",
    ),
    "nan": (lambda: estimate_classifier("accuracy", TRUTH, P, [np.nan] * 500), "missing"),
    "nothing": (lambda: estimate_classifier("accuracy", TRUTH, P, []), "no probabilities"),
    "lengths": (lambda: estimate_classifier("accuracy", TRUTH[:200], P, P), "200 labels and 500"),
    "another metric": (lambda: estimate_classifier("mae", TRUTH, P, P), "mae cannot be estimated"),
    "no mean": (lambda: estimate_regressor("rmse", (TRUTH, P, P), P), "no mean of row losses"),
    "few to go by": (
        lambda: estimate_regressor("mae", (TRUTH, P, P), P[:9]),
        "100 rows on both sides",
    ),
    "no driver": (
        lambda: estimate_regressor("mae", (TRUTH, P, P), P * np.inf),
        "driver is missing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_estimated_is_refused(case):
    call, message = WRONG[case]
    with pytest.raises(Unusable, match=message):
        call()
