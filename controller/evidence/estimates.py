"""Quality before the labels come: estimates, under assumptions that may fail, and marked as such.

CBPE: a calibrated probability says how often a prediction is wrong. DLE: where the model was
wrong by so much before, it is wrong by so much again. Conformal width: intervals that must widen
to keep their promise. None of them sees concept drift (the same inputs with other labels):
they may alert, and they never roll back by themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, stats

from controller.domain.decay import Estimate
from controller.evidence.inputs import Unusable
from controller.evidence.losses import row_losses

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME_CONCEPT = "the same inputs still have the same labels, and the calibration holds"
_SMALLEST = 100


def calibrated(
    reference_truth: Any, reference_probability: Any, probability: Any
) -> NDArray[np.float64]:
    """Probabilities corrected by isotonic regression on labelled reference rows (binary).

    Raises:
        Unusable: fewer than 100 reference rows, one class only, or no probabilities.
    """
    truth, before = _binary(reference_truth, reference_probability)
    now = _probabilities(probability)
    order = np.argsort(before, kind="stable")
    fitted = optimize.isotonic_regression(truth[order]).x
    points, first = np.unique(before[order], return_index=True)
    counts = np.diff(np.append(first, before.size))
    means = np.add.reduceat(fitted, first) / counts
    return np.asarray(np.interp(now, points, means))


def _probabilities(values: Any) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or found.size == 0:
        raise Unusable("there are no probabilities of the positive class, one a row.")
    if not np.all((found >= 0) & (found <= 1)):
        raise Unusable("a probability is missing or not between 0 and 1.")
    return found


def _binary(truth: Any, probability: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before = _probabilities(probability)
    labels = np.asarray(truth, dtype=np.float64)
    if labels.shape != before.shape:
        raise Unusable(f"there are {labels.size} labels and {before.size} probabilities.")
    if labels.size < _SMALLEST:
        raise Unusable(
            f"{labels.size} labelled rows are too few to calibrate, expected {_SMALLEST}."
        )
    if set(np.unique(labels)) != {0.0, 1.0}:
        raise Unusable("the labels are not both 0 and 1: the estimate is for two classes.")
    return labels, before


def estimate_classifier(
    metric: str, reference_truth: Any, reference_probability: Any, probability: Any
) -> Estimate:
    """CBPE: the expected metric of unlabelled predictions, from calibrated probabilities.

    Args:
        metric: accuracy, error_rate, brier, log_loss, precision, recall, f1 or roc_auc.
        reference_truth: 0 or 1, of the labelled reference rows.
        reference_probability: of class 1, as the model gave it, for the same rows.
        probability: of class 1, as the model gives it, for the rows without labels.

    Raises:
        Unusable: the metric is another one, or see ``calibrated``.
    """
    now = _probabilities(probability)
    truth = calibrated(reference_truth, reference_probability, now)
    value = _expected(metric, now, truth)
    generator = np.random.default_rng(20130101)
    draws = []
    for _ in range(200):
        picked = generator.integers(0, now.size, now.size)
        draws.append(_expected(metric, now[picked], truth[picked]))
    return _estimate(metric, value, np.array(draws), now.size, "cbpe")


def _expected(metric: str, p: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """The metric if row i were positive with the probability ``truth[i]``."""
    said = p >= 0.5
    right = np.where(said, truth, 1 - truth)
    hit, missed = float(truth[said].sum()), float(truth[~said].sum())
    if metric == "accuracy":
        return float(right.mean())
    if metric == "error_rate":
        return float(1 - right.mean())
    if metric == "brier":
        return float((truth * (1 - p) ** 2 + (1 - truth) * p**2).mean())
    if metric == "log_loss":
        safe = np.clip(p, 1e-15, 1 - 1e-15)
        return float(-(truth * np.log(safe) + (1 - truth) * np.log(1 - safe)).mean())
    if metric == "precision":
        return hit / float(said.sum()) if said.any() else math.nan
    if metric == "recall":
        return hit / (hit + missed) if hit + missed else math.nan
    if metric == "f1":
        total = float(said.sum()) + hit + missed
        return 2 * hit / total if total else math.nan
    if metric == "roc_auc":
        return _expected_auc(p, truth)
    raise Unusable(f"{metric} cannot be estimated without labels.")


def _expected_auc(p: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Pairs of a positive and a negative, weighted by their probabilities; ties count half."""
    _, group = np.unique(p, return_inverse=True)
    positive = np.bincount(group, weights=truth)
    negative = np.bincount(group, weights=1 - truth)
    below = np.cumsum(negative) - negative
    pairs = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs > 0 else math.nan


def estimate_regressor(
    metric: str, reference: tuple[Any, Any, Any], driver: Any, *, groups: int = 20
) -> Estimate:
    """DLE: the expected mean loss of unlabelled rows, from the losses of rows like them.

    Rows are alike that fall in one quantile group of the ``driver``: the prediction itself, or better a
    score of difficulty such as the spread of an ensemble. A whole model of the loss belongs to the
    user's training code; its output may be the driver.

    Args:
        metric: a metric that is a mean of row losses (mae, mse, ...).
        reference: labels, predictions and driver of the labelled rows.
        driver: of the rows without labels.
        groups: how many, at most.

    Raises:
        Unusable: too few rows, or a metric that is no mean of losses.
    """
    labels, predictions, before = (np.asarray(column, dtype=np.float64) for column in reference)
    now = np.asarray(driver, dtype=np.float64)
    if min(labels.size, now.size) < _SMALLEST:
        raise Unusable(f"an estimate needs {_SMALLEST} rows on both sides.")
    if not (np.isfinite(before).all() and np.isfinite(now).all()):
        raise Unusable("a value of the driver is missing or infinite.")
    try:
        losses = row_losses(metric, labels, predictions)
    except KeyError as error:
        raise Unusable(f"{metric} is no mean of row losses and cannot be estimated.") from error
    edges = np.unique(np.quantile(before, np.linspace(0, 1, groups + 1)[1:-1]))
    group, of_now = (np.searchsorted(edges, column, side="right") for column in (before, now))
    size = np.bincount(group, minlength=edges.size + 1)
    mean = np.bincount(group, weights=losses, minlength=edges.size + 1) / np.maximum(size, 1)
    square = np.bincount(group, weights=losses**2, minlength=edges.size + 1) / np.maximum(size, 1)
    share = np.bincount(of_now, minlength=edges.size + 1) / now.size
    value = float((share * mean).sum())
    variance = (share**2 * (square - mean**2) / np.maximum(size, 1)).sum()
    variance += (share * (square - value**2)).sum() / now.size
    reach = float(stats.norm.ppf(0.975)) * math.sqrt(max(float(variance), 0.0))
    return Estimate(
        metric=metric,
        value=value,
        low=value - reach,
        high=value + reach,
        rows=int(now.size),
        method="dle",
        assumption=_SAME_CONCEPT.replace("calibration", "loss of each group"),
    )


def _estimate(
    metric: str, value: float, draws: NDArray[np.float64], rows: int, method: str
) -> Estimate:
    if not math.isfinite(value):
        raise Unusable(f"{metric} is undefined on these predictions.")
    kept = draws[np.isfinite(draws)]
    low, high = np.quantile(kept, [0.025, 0.975]) if kept.size else (value, value)
    return Estimate(
        metric=metric,
        value=value,
        low=float(low),
        high=float(high),
        rows=rows,
        method=method,
        assumption=_SAME_CONCEPT,
    )
