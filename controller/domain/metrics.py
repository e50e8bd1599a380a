"""The metrics a policy may name: which way is better, and what they are computed from.

The rule linter, the decision function and the statistics all need to know that a
smaller ``mae`` is better and a larger ``roc_auc`` is. They must never disagree, so
the table lives here, in the pure domain, and `controller.evidence.losses` attaches
the arithmetic to it.

A name may end in ``_pNN`` where the metric is a percentile of something
(``latency_ms_p95``, ``absolute_error_p90``, ``pinball_p10``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Direction(StrEnum):
    """Which way a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"


class MetricKind(StrEnum):
    """The task a metric belongs to."""

    REGRESSION = "regression"
    QUANTILE = "quantile"
    BINARY = "binary"
    MULTICLASS = "multiclass"
    OPERATIONAL = "operational"


class PredictionType(StrEnum):
    """What a metric reads as the prediction of one row."""

    VALUE = "value"
    """A number in the unit of the target."""
    LABEL = "label"
    """A class."""
    PROBABILITY = "probability"
    """A probability of the positive class, or one column of them a class."""
    SCORE = "score"
    """Any number that ranks rows; larger means the positive class is likelier."""
    NONE = "none"
    """Measured on the model, not computed from labels."""

    @property
    def graded(self) -> bool:
        """Whether the answers are read as grades (probabilities or scores) and not as values."""
        return self in {PredictionType.PROBABILITY, PredictionType.SCORE}


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric without computing it.

    ``mean_of_losses`` tells whether the metric is the mean of one number a row. Those
    have a paired difference a row; all others (RMSE, AUC, F1, quantiles) are computed
    anew from resampled rows. ``percent`` (0 to 100, exclusive) is set for ``_pNN`` names.
    ``lower_bound`` and ``upper_bound`` are the range of possible values, where it has one.
    """

    name: str
    direction: Direction
    kinds: frozenset[MetricKind]
    prediction: PredictionType
    mean_of_losses: bool
    title: str
    lower_bound: float | None = None
    upper_bound: float | None = None
    percent: float | None = None
    given: bool = False
    """A team's own metric: its value of each row comes from somewhere else."""

    @property
    def lower_is_better(self) -> bool:
        """True for losses and costs, false for scores."""
        return self.direction is Direction.LOWER

    @property
    def operational(self) -> bool:
        """True if the worker measures it on the model (latency, size), without labels."""
        return MetricKind.OPERATIONAL in self.kinds

    def better(self, candidate: float, reference: float) -> bool:
        """Whether ``candidate`` is strictly the better value. NaN is never better."""
        return candidate < reference if self.lower_is_better else candidate > reference


_REGRESSION: Final = frozenset({MetricKind.REGRESSION})
_QUANTILE: Final = frozenset({MetricKind.QUANTILE, MetricKind.REGRESSION})
_BINARY: Final = frozenset({MetricKind.BINARY})
_CLASSES: Final = frozenset({MetricKind.BINARY, MetricKind.MULTICLASS})
_OPERATIONAL: Final = frozenset({MetricKind.OPERATIONAL})


def _loss(
    name: str,
    title: str,
    *,
    mean: bool,
    kinds: frozenset[MetricKind] = _REGRESSION,
    prediction: PredictionType = PredictionType.VALUE,
    upper: float | None = None,
) -> Metric:
    return Metric(name, Direction.LOWER, kinds, prediction, mean, title, 0.0, upper)


def _score(
    name: str,
    title: str,
    *,
    mean: bool = False,
    kinds: frozenset[MetricKind] = _CLASSES,
    prediction: PredictionType = PredictionType.LABEL,
    lower: float | None = 0.0,
) -> Metric:
    return Metric(name, Direction.HIGHER, kinds, prediction, mean, title, lower, 1.0)


def _operational(name: str, title: str, *, upper: float | None = None) -> Metric:
    return Metric(
        name, Direction.LOWER, _OPERATIONAL, PredictionType.NONE, False, title, 0.0, upper
    )


_PROBABILITY: Final = PredictionType.PROBABILITY
_SCORE: Final = PredictionType.SCORE

_TABLE: Final = (
    # regression, forecasts
    _loss("mae", "mean absolute error", mean=True),
    _loss("mse", "mean squared error", mean=True),
    _loss("rmse", "root mean squared error", mean=False),
    _loss("mape", "mean absolute percentage error (a fraction, as in scikit-learn)", mean=True),
    _loss("smape", "symmetric mean absolute percentage error (0 to 2)", mean=True, upper=2.0),
    _loss("wape", "sum of absolute errors over sum of absolute labels", mean=False),
    _loss("msle", "mean squared logarithmic error", mean=True),
    _loss("rmsle", "root mean squared logarithmic error", mean=False),
    _loss("poisson_deviance", "mean Poisson deviance", mean=True),
    _loss("median_absolute_error", "median absolute error", mean=False),
    _loss("max_error", "largest absolute error", mean=False),
    _score(
        "r2",
        "coefficient of determination",
        kinds=_REGRESSION,
        prediction=PredictionType.VALUE,
        lower=None,
    ),
    _loss("pinball", "mean pinball loss of the median", mean=True, kinds=_QUANTILE),
    # classification, from hard labels
    _score("accuracy", "share of rows classified correctly", mean=True),
    _loss(
        "error_rate",
        "share of rows classified wrongly",
        mean=True,
        kinds=_CLASSES,
        prediction=PredictionType.LABEL,
        upper=1.0,
    ),
    _score("balanced_accuracy", "mean recall of the classes"),
    _score("precision", "precision of the positive class", kinds=_BINARY),
    _score("recall", "recall of the positive class", kinds=_BINARY),
    _score("specificity", "recall of the negative class", kinds=_BINARY),
    _score("f1", "F1 of the positive class", kinds=_BINARY),
    _score("precision_macro", "mean precision of the classes"),
    _score("recall_macro", "mean recall of the classes"),
    _score("f1_macro", "mean F1 of the classes"),
    _score("f1_weighted", "mean F1 of the classes, weighted by their rows"),
    _score("mcc", "Matthews correlation coefficient", lower=-1.0),
    # classification, from probabilities or scores
    _loss("log_loss", "mean log loss (nats)", mean=True, kinds=_CLASSES, prediction=_PROBABILITY),
    _loss(
        "brier",
        "mean Brier score (0 to 1 with two classes, to 2 with more)",
        mean=True,
        kinds=_CLASSES,
        prediction=_PROBABILITY,
        upper=2.0,
    ),
    _score("roc_auc", "area under the ROC curve", kinds=_BINARY, prediction=_SCORE),
    _score("average_precision", "average precision", kinds=_BINARY, prediction=_SCORE),
    # measured on the model
    _operational("latency_ms", "mean latency of one prediction, milliseconds"),
    _operational("model_size_bytes", "size of the artifact, bytes"),
    _operational("memory_bytes", "peak memory of the model while it predicts, bytes"),
    _operational("training_seconds", "time the training took, seconds"),
    _operational(
        "prediction_change_rate",
        "share of rows on which the prediction differs from the champion's",
        upper=1.0,
    ),
)

METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _TABLE}
"""Every metric without a percentile in its name."""

ALIASES: Final[Mapping[str, str]] = {
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "pr_auc": "average_precision",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "mean_absolute_percentage_error": "mape",
    "brier_score": "brier",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "f1_score": "f1",
    "matthews_corrcoef": "mcc",
    "pinball_loss": "pinball",
}
"""Other common names; `find_metric` returns the metric under its own name."""

_PERCENTILES: Final[Mapping[str, Metric]] = {
    "pinball": replace(METRICS["pinball"], title="mean pinball loss"),
    "absolute_error": _loss("absolute_error", "percentile of the absolute error", mean=False),
    "latency_ms": _operational("latency_ms", "percentile of the latency, milliseconds"),
}
_PERCENTILE_NAME: Final = re.compile(r"(?P<base>[a-z_]+)_p(?P<digits>[0-9]{1,5})")


def find_metric(name: str) -> Metric | None:
    """The metric of this name, alias or ``_pNN`` name, or None if nobody knows it.

    ``_p95`` is the 95th percentile, ``_p999`` the 99.9th: digits after the second are
    decimals, as latencies are commonly written.
    """
    known = METRICS.get(ALIASES.get(name, name))
    if known is not None:
        return known
    match = _PERCENTILE_NAME.fullmatch(name)
    base = _PERCENTILES.get(match["base"]) if match else None
    if match is None or base is None:
        return None
    digits = match["digits"]
    percent = float(digits) if len(digits) <= 2 else float(f"{digits[:2]}.{digits[2:]}")
    if not 0.0 < percent < 100.0:
        return None
    return replace(base, name=name, percent=percent)


def is_lower_better(name: str, *, higher_is_better: bool | None = None) -> bool:
    """Which way a metric is better: as a policy says, else as everybody knows, else lower, like any loss."""
    if higher_is_better is not None:
        return not higher_is_better
    metric = find_metric(name)
    return metric is None or metric.lower_is_better


def metric_names() -> tuple[str, ...]:
    """The names to offer, sorted; percentile metrics appear once, as an example."""
    return tuple(sorted((*METRICS, "absolute_error_p90", "latency_ms_p95", "pinball_p90")))


def unknown_metric_sentence(name: str) -> str:
    """One sentence for a metric nobody knows, with the nearest known names."""
    near = get_close_matches(name, (*metric_names(), *ALIASES), n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(METRICS)}."
    return f"Metric {name!r} is not known: {hint}"
