"""The value of one metric on one model's predictions: what is reported and plotted.

The same arithmetic as in `compare`, so that a reported MAE and a gate's MAE are one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from controller.domain.metrics import PredictionType, find_metric, unknown_metric_sentence
from controller.evidence.aggregates import Moments, aggregate
from controller.evidence.inputs import RawRows, Unusable, prepare_inputs


def score(
    name: str,
    y_true: Any,
    y_pred: Any,
    *,
    weights: Any | None = None,
    classes: Any | None = None,
) -> float:
    """The metric called ``name`` of predictions (n,) or probabilities (n, classes).

    Rows without a label are left out. NaN where the metric is undefined (AUC of one class).
    Raises `Unusable` with one sentence for wrong input.
    """
    metric = find_metric(name)
    if metric is None:
        raise Unusable(unknown_metric_sentence(name))
    if metric.prediction is PredictionType.NONE:
        raise Unusable(f"{name} is measured on the model, not computed from predictions.")
    raw = RawRows(y_true=y_true, challenger=y_pred, weights=weights, classes=classes)
    rows = prepare_inputs(metric, raw)
    side = aggregate(metric, rows.y, rows.challenger, rows.weights, rows.classes)
    if isinstance(side, Moments):
        return float(side.value(side.columns.sum(axis=1)[:, None])[0])
    return float(side.value(np.ones((1, rows.n)))[0])
