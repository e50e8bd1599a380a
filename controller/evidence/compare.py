"""From predictions to evidence: the one front door that workers and `verify --evidence` call.

`compare` holds the challenger against a reference (or a threshold) on the same rows, picks
the test that fits the data unless one is named, and returns a `GateEvidence` of plain
numbers. Whatever is wrong with the input comes back as ``problem``: never as an exception,
never as something that could pass. A problem without ``challenger`` is an error; one with it
is inconclusive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy import special

from controller.domain.evidence import STATISTICAL_TESTS, GateEvidence
from controller.domain.metrics import (
    Metric,
    PredictionType,
    find_metric,
    unknown_metric_sentence,
)
from controller.evidence.aggregates import Moments, Weighted, aggregate
from controller.evidence.blocks import blocks_by_time
from controller.evidence.bootstrap import Statistic, statistic_of
from controller.evidence.inputs import RawRows, Rows, Unusable, prepare_inputs
from controller.evidence.losses import Array
from controller.evidence.need import Question, check_question
from controller.evidence.paired_tests import PairedAnswer, Sample, choose_test, run_test

POWER: Final = 0.8
"""Probability of finding the difference for which ``needed_n`` and ``detectable`` are given."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to test. Everything has a default that fits the data.

    ``blocks``: one id a row (a day, a customer); rows with one id are resampled together.
    ``time``: one time a row; makes blocks of days when no blocks are given, and orders the
    rows for forecasts. ``horizon``: steps ahead of a forecast. ``seed`` comes from the
    decision, never from the clock. ``resamples``: bootstrap draws (10,000; 2,000 for metrics
    that must sort large holdouts). ``classes``: the classes in the order of the columns.
    """

    test: str = "auto"
    confidence: float = 0.95
    blocks: Any | None = None
    time: Any | None = None
    horizon: int | None = None
    weights: Any | None = None
    classes: Any | None = None
    seed: int = 0
    resamples: int | None = None


def compare_models(
    y_true: Any,
    challenger: Any,
    reference: Any | None,
    question: Question,
    options: Options | None = None,
) -> GateEvidence:
    """Evidence on whether the challenger meets ``question`` on these rows.

    ``y_true`` are the labels (n,), None or NaN where one is missing; ``challenger`` and
    ``reference`` the predictions of the same rows: values, classes, probabilities of the
    positive class (n,) or of every class (n, classes). ``reference`` is None only for
    `at_most` and `at_least`. Never raises for wrong input: see ``problem``.
    """
    options = options or Options()
    blank = GateEvidence(
        gate="", metric=question.metric, method="", confidence=_plain(options.confidence) or 0.0
    )
    try:
        metric = question.known or _metric(question.metric)
        check_question(question, reference, options.test, options.confidence)
        rows = prepare_inputs(metric, _raw(y_true, challenger, reference, question, options))
    except Unusable as error:
        dropped = {
            "dropped_labels": error.dropped_labels,
            "dropped_predictions": error.dropped_predictions,
        }
        return replace(
            blank, problem=str(error), n_dropped=sum(dropped.values()), details=dict(dropped)
        )
    return _measure(metric, rows, question, options, blank)


def _plain(value: Any) -> float | None:
    """``value`` as a float that JSON can hold, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _metric(name: str) -> Metric:
    metric = find_metric(name)
    if metric is None:
        raise Unusable(unknown_metric_sentence(name))
    if metric.prediction is PredictionType.NONE:
        raise Unusable(f"{name} is measured on the model, not computed from predictions.")
    return metric


def _raw(
    y_true: Any, challenger: Any, reference: Any | None, question: Question, options: Options
) -> RawRows:
    blocks = options.blocks
    if blocks is None and options.time is not None and options.horizon is None:
        try:
            blocks = blocks_by_time(options.time)
        except (ValueError, TypeError) as error:
            raise Unusable(f"The times of the rows cannot be used: {error}.") from error
    if options.horizon is not None and options.time is not None:
        y_true, challenger, reference = _in_order(options.time, y_true, challenger, reference)
    return RawRows(
        y_true=y_true,
        challenger=challenger,
        reference=reference if question.paired else None,
        weights=options.weights,
        blocks=blocks,
        classes=options.classes,
    )


def _in_order(time: Any, *columns: Any) -> list[Any]:
    try:
        order = np.argsort(np.asarray(time), kind="stable")
        arrays = [None if column is None else np.asarray(column) for column in columns]
    except (TypeError, ValueError) as error:
        raise Unusable("The times of the rows cannot be put in order.") from error
    if any(array is not None and array.shape[:1] != order.shape for array in arrays):
        raise Unusable("The times do not fit the rows: one time a row is needed.")
    return [None if array is None else array[order] for array in arrays]


def _measure(
    metric: Metric, rows: Rows, question: Question, options: Options, blank: GateEvidence
) -> GateEvidence:
    sides = _sides(metric, rows)
    statistic = statistic_of(sides, question.combine(metric), rows.block)
    values = statistic.estimate()
    evidence = _with_values(blank, question, rows, values)
    problem = _unanswerable(metric, rows, values, options.test)
    if problem is not None:
        return replace(evidence, problem=problem)
    sample = Sample(
        metric=metric,
        rows=rows,
        question=question,
        statistic=statistic,
        seed=options.seed,
        confidence=options.confidence,
        resamples=options.resamples,
        horizon=options.horizon,
    )
    try:
        chosen, reason = choose_test(sample, options.test)
        answer = run_test(sample, chosen)
    except Unusable as error:
        return replace(evidence, problem=str(error))
    return _with_answer(evidence, sample, answer, chosen, reason)


def _sides(metric: Metric, rows: Rows) -> tuple[Moments | Weighted, ...]:
    columns = [side for side in (rows.challenger, rows.reference) if side is not None]
    return tuple(aggregate(metric, rows.y, side, rows.weights, rows.classes) for side in columns)


def _with_values(
    blank: GateEvidence, question: Question, rows: Rows, values: Array
) -> GateEvidence:
    details: dict[str, float | int | str | None] = {
        "need": question.comparison.question.recorded or question.comparison.value,
        "margin": float(question.margin),
        "margin_relative": int(question.relative),
        "threshold": question.threshold,
        "dropped_labels": rows.dropped_labels,
        "dropped_predictions": 0,
    }
    return replace(
        blank,
        challenger=_plain(values[0]),
        reference=_plain(values[1]),
        difference=_plain(values[2]),
        theta=_plain(values[3]),
        n=rows.n,
        n_dropped=rows.dropped_labels,
        blocks=None if rows.block is None else rows.units,
        notes=rows.notes,
        details=details,
    )


def _unanswerable(metric: Metric, rows: Rows, values: Array, test: str) -> str | None:
    """The sentence for data that cannot answer, whatever the test."""
    if bool((rows.y == rows.y[0]).all()):
        if rows.n == 1:
            return "One row shows nothing about two models: more labelled rows are needed."
        return f"All {rows.n:,} labels are the same: a constant label shows nothing."
    if not np.all(np.isfinite(values)):
        return f"{metric.name} is undefined on these {rows.n:,} rows (a class is missing or nothing varies)."
    if rows.units < 2:
        return "All rows belong to one block: at least two independent blocks are needed."
    if rows.reference is not None and bool(np.array_equal(rows.challenger, rows.reference)):
        return f"Both models predict the same on all {rows.n:,} rows: there is nothing to tell them apart."
    if metric.percent is None and metric.name == "max_error" and test != "point":
        return "No resampling holds for the largest error: use absolute_error_p99, or test: point."
    return None


def _with_answer(
    evidence: GateEvidence, sample: Sample, answer: PairedAnswer, chosen: str, reason: str
) -> GateEvidence:
    details = {**evidence.details, "test": chosen, **answer.details}
    if answer.problem is not None:
        return replace(evidence, problem=answer.problem, method=answer.title, details=details)
    level = round(1.0 - sample.confidence, 12)
    details["level"] = level
    details["theta_low"] = _plain(answer.theta_low)
    details["theta_high"] = _plain(answer.theta_high)
    error = _plain(answer.standard_error)
    details["standard_error"] = error
    reach = float(special.ndtri(1.0 - level) + special.ndtri(POWER))
    details["detectable"] = None if error is None else reach * error
    return replace(
        evidence,
        method=answer.title,
        interval_low=_plain(answer.low),
        interval_high=_plain(answer.high),
        p_pass=_plain(answer.p_less),
        p_fail=_plain(answer.p_greater),
        needed_n=_needed(evidence, answer, level, reach),
        seed=sample.seed if answer.resamples else None,
        resamples=answer.resamples,
        notes=(*evidence.notes, *((reason,) if reason else ()), *answer.notes),
        details=details,
    )


def _needed(evidence: GateEvidence, answer: PairedAnswer, level: float, reach: float) -> int | None:
    """Rows that would have decided an inconclusive test, were theta what it seems to be."""
    if answer.p_less is None or answer.p_greater is None or answer.standard_error is None:
        return None
    if min(answer.p_less, answer.p_greater) < level or not evidence.theta:
        return None
    needed = evidence.n * (reach * answer.standard_error / evidence.theta) ** 2
    return max(evidence.n + 1, math.ceil(needed)) if needed < 1e12 else None


__all__ = [
    "STATISTICAL_TESTS",
    "GateEvidence",
    "Options",
    "Question",
    "Statistic",
    "compare_models",
]
