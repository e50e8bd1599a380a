"""Losses of single rows, for every metric that is the mean of one number a row.

These are the metrics with a paired difference a row, which is what the tests of
superiority, Diebold-Mariano and the confidence sequences work on. Each function takes
labels and predictions of the same rows and returns one float a row; scikit-learn's
definition is followed wherever it has the metric (the tests compare with it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from controller.domain.metrics import Metric, find_metric

Array = npt.NDArray[np.float64]
RowLoss = Callable[[Any, Any], Array]

_TINY: Final = float(np.finfo(np.float64).eps)


def _absolute(y: Array, p: Array) -> Array:
    return np.abs(y - p)


def _squared(y: Array, p: Array) -> Array:
    return np.square(y - p)


def _percentage(y: Array, p: Array) -> Array:
    return np.abs(y - p) / np.maximum(np.abs(y), _TINY)


def _symmetric_percentage(y: Array, p: Array) -> Array:
    total = np.abs(y) + np.abs(p)
    out: Array = np.divide(2.0 * np.abs(y - p), total, out=np.zeros_like(total), where=total > 0)
    return out


def _squared_log(y: Array, p: Array) -> Array:
    return np.asarray(np.square(np.log1p(y) - np.log1p(p)))


def _poisson_deviance(y: Array, p: Array) -> Array:
    ratio: Array = np.divide(y, p, out=np.ones_like(y), where=y > 0)
    deviance: Array = 2.0 * (y * np.log(ratio) - y + p)
    return deviance


def pinball(y: Array, p: Array, level: float = 0.5) -> Array:
    """Pinball (quantile) loss of each row, for the quantile ``level`` in (0, 1)."""
    error = y - p
    return np.maximum(level * error, (level - 1.0) * error)


def _right(y: npt.NDArray[Any], p: npt.NDArray[Any]) -> Array:
    return np.asarray(y == p, dtype=np.float64)


def _wrong(y: npt.NDArray[Any], p: npt.NDArray[Any]) -> Array:
    return np.asarray(y != p, dtype=np.float64)


def _log_loss(y: npt.NDArray[np.int64], p: Array) -> Array:
    """``y`` are class codes; ``p`` one probability of class 1, or one column a class."""
    several = p.ndim == 2
    chosen = p[np.arange(len(y)), y] / p.sum(axis=1) if several else np.where(y == 1, p, 1.0 - p)
    return np.asarray(-np.log(np.clip(chosen, _TINY, 1.0 - _TINY)))


def _brier(y: npt.NDArray[np.int64], p: Array) -> Array:
    if p.ndim == 1:
        return np.asarray(np.square(p - (y == 1)))
    target = np.zeros_like(p)
    target[np.arange(len(y)), y] = 1.0
    return np.asarray(np.square(p - target).sum(axis=1))


def _given(y: Array, p: Array) -> Array:  # noqa: ARG001 (the signature of all)
    return p


ROW_LOSSES: Final[Mapping[str, RowLoss]] = {
    "mae": _absolute,
    "mse": _squared,
    "mape": _percentage,
    "smape": _symmetric_percentage,
    "msle": _squared_log,
    "poisson_deviance": _poisson_deviance,
    "pinball": pinball,
    "accuracy": _right,
    "error_rate": _wrong,
    "log_loss": _log_loss,
    "brier": _brier,
}
"""Name of a metric without a percentile to its loss of a row (``accuracy``: its score)."""


def row_loss(metric: Metric) -> RowLoss | None:
    """The per-row function of ``metric``, or None if it is no mean of rows."""
    if not metric.mean_of_losses:
        return None
    if metric.percent is not None:
        level = metric.percent / 100.0
        return lambda y, p: pinball(y, p, level)
    return _given if metric.given else ROW_LOSSES[metric.name]


def row_losses(name: str, y_true: Any, y_pred: Any) -> Array:
    """Losses of the rows for the metric called ``name``; float64, one a row.

    Class labels must be codes 0..K-1 for ``log_loss`` and ``brier``. Raises `KeyError`
    for a metric that is unknown or no mean of rows.
    """
    metric = find_metric(name)
    function = row_loss(metric) if metric else None
    if function is None:
        raise KeyError(name)
    return function(np.asarray(y_true), np.asarray(y_pred))
