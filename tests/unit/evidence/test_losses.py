"""Values of the metrics against scikit-learn, which is the field's reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from controller.domain.metrics import METRICS, PredictionType, find_metric
from controller.evidence.inputs import Unusable
from controller.evidence.losses import row_losses
from controller.evidence.scores import score

RNG = np.random.default_rng(20)
N = 500
Y = RNG.gamma(2.0, 3.0, N)
P = Y * RNG.lognormal(0.0, 0.3, N)
W = RNG.uniform(0.1, 2.0, N)
B = RNG.random(N) < 0.35
SCORE = np.round(np.clip(0.35 * B + 0.5 * RNG.random(N), 0.01, 0.99), 2)  # with ties
LABEL = SCORE > 0.4
M = RNG.integers(0, 4, N)
MP = np.where(RNG.random(N) < 0.6, M, RNG.integers(0, 4, N))
PROBA = RNG.dirichlet(np.ones(4), N) * 0.6 + 0.4 * np.eye(4)[MP]

Reference = Callable[..., float]
REGRESSION: dict[str, Reference] = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "msle": sk.mean_squared_log_error,
    "rmsle": sk.root_mean_squared_log_error,
    "poisson_deviance": sk.mean_poisson_deviance,
    "r2": sk.r2_score,
    "pinball": sk.mean_pinball_loss,
    "pinball_p90": lambda y, p, sample_weight=None: sk.mean_pinball_loss(
        y, p, sample_weight=sample_weight, alpha=0.9
    ),
}
BINARY: dict[str, Reference] = {
    "accuracy": sk.accuracy_score,
    "error_rate": sk.zero_one_loss,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "mcc": sk.matthews_corrcoef,
    "specificity": lambda y, p, sample_weight=None: sk.recall_score(
        y, p, sample_weight=sample_weight, pos_label=0
    ),
}
SCORES: dict[str, Reference] = {
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
}
MACRO: dict[str, Reference] = {
    "precision_macro": lambda y, p, sample_weight=None: sk.precision_score(
        y, p, sample_weight=sample_weight, average="macro"
    ),
    "recall_macro": lambda y, p, sample_weight=None: sk.recall_score(
        y, p, sample_weight=sample_weight, average="macro"
    ),
    "f1_macro": lambda y, p, sample_weight=None: sk.f1_score(
        y, p, sample_weight=sample_weight, average="macro"
    ),
    "f1_weighted": lambda y, p, sample_weight=None: sk.f1_score(
        y, p, sample_weight=sample_weight, average="weighted"
    ),
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
}
CASES = [
    *((name, f, Y, P) for name, f in REGRESSION.items()),
    *((name, f, B, LABEL) for name, f in BINARY.items()),
    *((name, f, B, SCORE) for name, f in SCORES.items()),
    *((name, f, M, MP) for name, f in MACRO.items()),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("name", "reference", "y", "p"), CASES, ids=[f"{c[0]}-{c[2].dtype}" for c in CASES]
)
def test_value_is_scikit_learns(
    name: str, reference: Reference, y: Any, p: Any, *, weighted: bool
) -> None:
    weights = W if weighted else None
    expected = reference(y, p, sample_weight=weights)
    assert score(name, y, p, weights=weights) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_multiclass_probabilities(name: str) -> None:
    proba = PROBA / PROBA.sum(axis=1, keepdims=True)
    expected = (
        sk.log_loss(M, proba)
        if name == "log_loss"
        else float(np.mean(np.sum((proba - np.eye(4)[M]) ** 2, axis=1)))
    )
    assert score(name, M, proba) == pytest.approx(expected, rel=1e-10)


def test_percentiles_are_numpys_medians_and_order_statistics() -> None:
    error = np.abs(Y - P)
    assert score("median_absolute_error", Y, P) == pytest.approx(np.median(error), rel=1e-12)
    assert score("max_error", Y, P) == pytest.approx(error.max())
    expected = np.quantile(error, 0.9, method="averaged_inverted_cdf")
    assert score("absolute_error_p90", Y, P) == pytest.approx(expected, rel=1e-12)


def test_wape_and_smape_by_hand() -> None:
    assert score("wape", [1.0, 3.0], [2.0, 3.0]) == pytest.approx(0.25)
    assert score("smape", [1.0, 3.0, 0.0], [2.0, 3.0, 0.0]) == pytest.approx(2.0 / 9.0)


@pytest.mark.parametrize(
    "name", sorted(n for n, m in METRICS.items() if m.prediction is not PredictionType.NONE)
)
def test_every_metric_of_the_table_can_be_computed(name: str) -> None:
    metric = find_metric(name)
    assert metric is not None
    y, p = (Y, P) if metric.prediction is PredictionType.VALUE else (B, SCORE)
    assert np.isfinite(score(name, y, p))


@pytest.mark.parametrize("name", ["mae", "pinball_p10", "accuracy", "brier"])
def test_mean_of_row_losses_is_the_metric(name: str) -> None:
    y, p = (B, LABEL) if name in {"accuracy", "brier"} else (Y, P)
    mean = float(np.mean(row_losses(name, y * 1, p * 1)))
    assert mean == pytest.approx(score(name, y, p))


def test_row_losses_of_a_metric_without_them_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        row_losses("roc_auc", B, SCORE)


@pytest.mark.parametrize("name", ["latency_ms_p95", "maee"])
def test_no_value_for_operational_or_unknown_metrics(name: str) -> None:
    with pytest.raises(Unusable):
        score(name, Y, P)
