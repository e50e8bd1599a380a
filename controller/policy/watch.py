"""Watches the champion: what a metric signal says about each condition of ``rollback.when``.

A team's serving posts figures as often as it likes, so a figure is judged by a bound that holds at all looks at
once (normal mixture, Howard et al. 2021): looking every minute costs nothing. Too little data never rolls back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.metrics import find_metric, is_lower_better
from controller.domain.rules import RollbackCondition
from controller.domain.signals import Signal
from controller.policy.phrase import margin, number, percent
from controller.policy.unimproving import mixture_bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one signal says about one condition: True bad, False good, None too little to say."""

    condition: RollbackCondition
    signal: Signal
    bad: bool | None
    sentence: str
    values: Mapping[str, Any]


def read_condition(condition: RollbackCondition, signal: Signal) -> Reading | None:
    """The reading, or None where the signal is about another metric.

    Payload: ``{"metric", "value", "n", "std"?, "reference"?, "p_worse"?, "version"?}``. ``value`` is the mean over
    ``n`` rows, ``std`` the standard deviation of one row (a rate needs none), ``reference`` the previous champion's
    record, ``p_worse`` an anytime-valid p-value where a worker has tested it.
    """
    payload = signal.payload
    if payload.get("metric") != condition.metric:
        return None
    if payload.get("condition") not in (None, condition.name):
        return None
    value, samples = _number(payload.get("value")), int(payload.get("n") or 0)
    if value is None:
        return _reading(condition, signal, None, f"{condition.metric} has no value", {})
    if samples < condition.min_samples:
        words = f"{samples:,} samples, at least {condition.min_samples:,} are needed"
        return _reading(condition, signal, None, words, {"value": value, "n": samples})
    bar = _bar(condition, payload)
    if bar is None:
        words = f"there is no record of {condition.worse_than} to compare {condition.metric} with"
        return _reading(condition, signal, None, words, {"value": value, "n": samples})
    return _judge(condition, signal, value, samples, bar)


def _judge(
    condition: RollbackCondition, signal: Signal, value: float, samples: int, bar: float
) -> Reading:
    alpha = round(1.0 - condition.confidence, 12)
    p_worse = _number(signal.payload.get("p_worse"))
    higher_is_worse = _lower_is_better(condition)
    values: dict[str, Any] = {"value": value, "bar": bar, "n": samples, "alpha": alpha}
    words = f"{condition.metric} {number(value)} on {samples:,} samples, the bar is {number(bar)}"
    if p_worse is not None:
        values["p_worse"] = p_worse
        return _reading(condition, signal, p_worse <= alpha, words, values)
    spread = _spread(value, signal.payload)
    if spread is None:
        words = f"{words}; without a standard deviation luck cannot be told from harm"
        return _reading(condition, signal, None, words, values)
    bound = mixture_bound(samples * spread**2, condition.min_samples * spread**2, alpha) / samples
    edge = value - bound if higher_is_worse else value + bound
    bad = edge > bar if higher_is_worse else edge < bar
    good = value <= bar if higher_is_worse else value >= bar
    values["edge"] = edge
    side = "at least" if higher_is_worse else "at most"
    words += f"; it is truly {side} {number(edge)} ({percent(condition.confidence)})"
    return _reading(condition, signal, bad if bad or good else None, words, values)


def _bar(condition: RollbackCondition, payload: Mapping[str, Any]) -> float | None:
    if condition.threshold is not None:
        return condition.threshold
    reference = _number(payload.get("reference"))
    if reference is None:
        return None
    allowed = condition.margin.value * (abs(reference) if condition.margin.relative else 1.0)
    return reference + allowed if _lower_is_better(condition) else reference - allowed


def _spread(value: float, payload: Mapping[str, Any]) -> float | None:
    """The standard deviation of one row; a rate's follows from its bounds, kept away from zero."""
    given = _number(payload.get("std"))
    if given is not None:
        return given if given > 0 else None
    metric = find_metric(str(payload.get("metric")))
    if metric is not None and metric.lower_bound == 0.0 and metric.upper_bound == 1.0:
        rate = min(max(value, 0.001), 0.999)
        return math.sqrt(rate * (1 - rate))
    return None


def _lower_is_better(condition: RollbackCondition) -> bool:
    return is_lower_better(condition.metric, higher_is_better=condition.higher_is_better)


def describe(condition: RollbackCondition) -> str:
    """The condition in words."""
    if condition.threshold is not None:
        return f"{condition.metric} beyond {number(condition.threshold)}"
    return f"{condition.metric} worse than {condition.worse_than} by {margin(condition.margin)}"


def reading_node(reading: Reading) -> Outcome:
    """The reading as a node of the outcome tree."""
    result = {True: Result.FAIL, False: Result.PASS, None: Result.INCONCLUSIVE}[reading.bad]
    return Outcome(
        name=reading.condition.name,
        result=result,
        sentence=reading.sentence,
        values=reading.values,
        line=reading.condition.line or None,
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _reading(
    condition: RollbackCondition,
    signal: Signal,
    bad: bool | None,  # noqa: FBT001 - three values: bad, good, too little to say
    sentence: str,
    values: Mapping[str, Any],
) -> Reading:
    return Reading(condition=condition, signal=signal, bad=bad, sentence=sentence, values=values)
