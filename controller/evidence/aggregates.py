"""Metrics as functions of sums over rows, so that resampling them is cheap and exact.

A mean of losses, RMSE, R2, F1, the macro averages and Matthews' coefficient are all a
smooth function of a few sums over rows ("moments"). Resampling rows then means resampling
those sums, for means and for RMSE alike. What needs the order of the rows (AUC, average
precision, percentiles) is written as a function of row weights instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.domain.metrics import Metric
from controller.evidence.losses import Array, row_loss


@dataclass(frozen=True)
class Moments:
    """``columns`` has one row a moment, (k, n); ``value`` maps sums (k, ...) to the metric (...)."""

    columns: Array
    value: Callable[[Array], Array]


@dataclass(frozen=True)
class Weighted:
    """``value`` maps weights of the rows, (b, n), to the metric of each weighting, (b,)."""

    n: int
    value: Callable[[Array], Array]


def _ratio(top: Array, bottom: Array) -> Array:
    """Division that answers NaN, silently, where the metric is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan)


def aggregate(
    metric: Metric, y: npt.NDArray[Any], p: npt.NDArray[Any], w: Array, classes: int
) -> Moments | Weighted:
    """The metric of labels ``y``, predictions ``p`` and row weights ``w``, ready to resample.

    Class labels are codes 0..classes-1, and 1 is the positive class of binary metrics.
    """
    loss = row_loss(metric)
    if loss is not None:
        return Moments(np.stack([loss(y, p) * w, w]), lambda s: _ratio(s[0], s[1]))
    if metric.name in _REGRESSION:
        return _REGRESSION[metric.name](y, p, w)
    if metric.name in _CONFUSION:
        return _confusion(y, p, w, classes, _CONFUSION[metric.name])
    if metric.name == "roc_auc":
        return _roc_auc(y, p, w)
    if metric.name == "average_precision":
        return _average_precision(y, p, w)
    percent = {"median_absolute_error": 50.0, "max_error": 100.0}.get(metric.name, metric.percent)
    if percent is None:
        raise KeyError(metric.name)
    return _percentile(np.abs(y - p), w, percent)


# --- regression: functions of sums --------------------------------------------------------


def _rmse(y: Array, p: Array, w: Array) -> Moments:
    return Moments(np.stack([np.square(y - p) * w, w]), lambda s: np.sqrt(_ratio(s[0], s[1])))


def _rmsle(y: Array, p: Array, w: Array) -> Moments:
    return _rmse(np.log1p(y), np.log1p(p), w)


def _wape(y: Array, p: Array, w: Array) -> Moments:
    return Moments(np.stack([np.abs(y - p) * w, np.abs(y) * w]), lambda s: _ratio(s[0], s[1]))


def _r2(y: Array, p: Array, w: Array) -> Moments:
    centred = y - np.mean(y)  # centring keeps the variance accurate for large offsets

    def value(s: Array) -> Array:
        spread = s[2] - _ratio(np.square(s[1]), s[3])
        return 1.0 - _ratio(s[0], np.where(spread > 1e-12 * s[2], spread, 0.0))

    columns = [np.square(y - p) * w, centred * w, np.square(centred) * w, w]
    return Moments(np.stack(columns), value)


_REGRESSION: dict[str, Callable[[Any, Any, Array], Moments]] = {
    "rmse": _rmse,
    "rmsle": _rmsle,
    "wape": _wape,
    "r2": _r2,
}


# --- classification from labels: functions of the confusion counts -------------------------


def _confusion(
    y: npt.NDArray[Any],
    p: npt.NDArray[Any],
    w: Array,
    classes: int,
    value: Callable[[Array, Array, Array], Array],
) -> Moments:
    """Moments are, a class: rows right, rows of the class, rows predicted as it."""
    codes = range(classes)
    right = [((y == k) & (p == k)) * w for k in codes]
    actual = [(y == k) * w for k in codes]
    predicted = [(p == k) * w for k in codes]

    def from_sums(s: Array) -> Array:
        return value(s[:classes], s[classes : 2 * classes], s[2 * classes :])

    return Moments(np.stack([*right, *actual, *predicted]).astype(np.float64), from_sums)


def _f(right: Array, actual: Array, predicted: Array) -> Array:
    return np.nan_to_num(_ratio(2.0 * right, actual + predicted), nan=0.0)


def _precisions(right: Array, predicted: Array) -> Array:
    return np.nan_to_num(_ratio(right, predicted), nan=0.0)


def _mean_present(values: Array, actual: Array, predicted: Array) -> Array:
    """Mean over the classes that occur among labels or predictions (as scikit-learn does)."""
    present = (actual + predicted) > 0
    return _ratio((values * present).sum(axis=0), present.sum(axis=0).astype(np.float64))


def _balanced_accuracy(right: Array, actual: Array, _predicted: Array) -> Array:
    present = actual > 0
    recalls = np.nan_to_num(_ratio(right, actual), nan=0.0)
    return _ratio((recalls * present).sum(axis=0), present.sum(axis=0).astype(np.float64))


def _mcc(right: Array, actual: Array, predicted: Array) -> Array:
    total = actual.sum(axis=0)
    top = right.sum(axis=0) * total - (actual * predicted).sum(axis=0)
    left = np.square(total) - np.square(predicted).sum(axis=0)
    down = np.square(total) - np.square(actual).sum(axis=0)
    return np.nan_to_num(_ratio(top, np.sqrt(np.maximum(left * down, 0.0))), nan=0.0)


_CONFUSION: dict[str, Callable[[Array, Array, Array], Array]] = {
    "precision": lambda r, a, q: np.where(a[1] > 0, _precisions(r[1], q[1]), np.nan),
    "recall": lambda r, a, _: _ratio(r[1], a[1]),
    "specificity": lambda r, a, _: _ratio(r[0], a[0]),
    "f1": lambda r, a, q: np.where(a[1] > 0, _f(r[1], a[1], q[1]), np.nan),
    "precision_macro": lambda r, a, q: _mean_present(_precisions(r, q), a, q),
    "recall_macro": lambda r, a, q: _mean_present(np.nan_to_num(_ratio(r, a)), a, q),
    "f1_macro": lambda r, a, q: _mean_present(_f(r, a, q), a, q),
    "f1_weighted": lambda r, a, q: _ratio((_f(r, a, q) * a).sum(axis=0), a.sum(axis=0)),
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _mcc,
}


# --- what needs the order of the rows -------------------------------------------------------


def _tie_ends(ordered: Array) -> npt.NDArray[np.int64]:
    """Index of the last row of every run of equal values in a sorted array."""
    return np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)


def _roc_auc(y: npt.NDArray[Any], p: Array, w: Array) -> Weighted:
    order = np.argsort(p, kind="stable")
    ends = _tie_ends(p[order])
    positive = (y[order] == 1) * w[order]
    negative = (y[order] != 1) * w[order]

    def value(weights: Array) -> Array:
        taken = weights[:, order]
        hits = np.cumsum(taken * positive, axis=1)[:, ends]
        misses = np.cumsum(taken * negative, axis=1)[:, ends]
        step = np.diff(hits, axis=1, prepend=0.0)
        below = misses - np.diff(misses, axis=1, prepend=0.0) / 2.0
        # A tie counts half: half of the negatives at the same score lie below.
        return _ratio((step * below).sum(axis=1), hits[:, -1] * misses[:, -1])

    return Weighted(len(p), value)


def _average_precision(y: npt.NDArray[Any], p: Array, w: Array) -> Weighted:
    order = np.argsort(-p, kind="stable")
    ends = _tie_ends(p[order])
    positive = (y[order] == 1) * w[order]
    ordered = w[order]

    def value(weights: Array) -> Array:
        taken = weights[:, order]
        hits = np.cumsum(taken * positive, axis=1)[:, ends]
        seen = np.cumsum(taken * ordered, axis=1)[:, ends]
        precision = np.nan_to_num(_ratio(hits, seen), nan=0.0)
        step = np.diff(hits, axis=1, prepend=0.0)
        return _ratio((step * precision).sum(axis=1), hits[:, -1])

    return Weighted(len(p), value)


def _percentile(errors: Array, w: Array, percent: float) -> Weighted:
    """Weighted percentile: the mean of the lower and upper inverse of the distribution.

    With equal weights and percent 50 that is the ordinary median.
    """
    order = np.argsort(errors, kind="stable")
    ordered, mass = errors[order], w[order]

    def value(weights: Array) -> Array:
        reached = np.cumsum(weights[:, order] * mass, axis=1)
        total = reached[:, -1]
        if percent >= 100.0:
            return np.where(total > 0, ordered[(reached < total[:, None]).sum(axis=1)], np.nan)
        target = total * (percent / 100.0)
        slack = total * 1e-12
        lower = (reached < (target - slack)[:, None]).sum(axis=1)
        upper = (reached <= (target + slack)[:, None]).sum(axis=1)
        last = len(ordered) - 1
        middle = (ordered[np.minimum(lower, last)] + ordered[np.minimum(upper, last)]) / 2.0
        return np.where(total > 0, middle, np.nan)

    return Weighted(len(errors), value)
