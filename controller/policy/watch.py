"""Watches the champion: what a metric signal says about each condition of ``rollback.when``.

A team's serving posts figures as often as it likes, for as long as the version is champion. Each is added to the
version's record, and the record is judged by tests that hold at all looks at once (:mod:`controller.policy.record`):
looking every minute costs nothing. Too little data never rolls back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from controller.domain.decisions import Outcome, RecordFigure, Result, Verdict
from controller.domain.metrics import find_metric, is_lower_better
from controller.domain.records import Record, add_figure, figure
from controller.domain.rules import Reference, RollbackCondition
from controller.domain.signals import Signal, SignalAnswer, SignalKind, SignalStatus
from controller.policy.context import DecisionContext, ReasonResult
from controller.policy.phrase import format_number, format_time_utc, margin, percent
from controller.policy.record import HarmQuestion, judge_record, upper_bar


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one signal says about one condition: True bad, False good, None too little to say."""

    condition: RollbackCondition
    signal: Signal
    bad: bool | None
    sentence: str
    values: Mapping[str, Any]


def readings(
    context: DecisionContext, figures: tuple[Signal, ...], version: int | None
) -> tuple[list[Reading], tuple[RecordFigure, ...]]:
    """What the figures say about each condition, each added to the version's record; and what to book of them.

    Payload: ``{"metric", "value", "n", "std"?, "reference"?, "p_worse"?, "version"?}``. ``value`` is the mean over
    ``n`` rows that no earlier figure had, ``std`` the standard deviation of one row (a rate needs none), ``reference``
    the value to compare with (default: the previous champion's record), ``p_worse`` an anytime-valid p-value where
    a worker has tested it.
    """
    found: list[Reading] = []
    for condition in context.policy.rollback.when:
        record = _record(context, condition, version)
        for signal in figures:
            if not _is_asked(condition, signal):
                continue
            record = _with(record, condition, signal)
            found.append(_read(context, condition, signal, record))
    metrics = {condition.metric for condition in context.policy.rollback.when}
    return found, tuple(_booked(figures, metrics, version))


def unasked(signal: Signal) -> str:
    """Why nothing was read of a figure."""
    return f"no condition of rollback.when asks for {signal.payload.get('metric')}"


def nothing_bad(
    name: str,
    figures: tuple[Signal, ...],
    found: list[Reading],
    booked: tuple[RecordFigure, ...],
    ignored: Callable[[Signal], str] = unasked,
) -> ReasonResult:
    """Each figure is answered with what it says, or why it is ignored; it decides only where something is booked."""
    said = {reading.signal.id: reading.sentence for reading in found}
    answers = tuple(
        SignalAnswer(
            signal=signal.id,
            status=SignalStatus.HANDLED if signal.id in said else SignalStatus.SKIPPED,
            reason=said.get(signal.id) or ignored(signal),
        )
        for signal in figures
    )
    sentence = "; ".join(dict.fromkeys(answer.reason for answer in answers))
    nodes = tuple(reading_node(reading) for reading in found)
    node = Outcome(name=name, result=Result.IDLE, sentence=sentence, children=nodes)
    verdict = Verdict.NONE if booked else None
    return ReasonResult(node=node, verdict=verdict, actions=booked, answers=answers)


def _is_asked(condition: RollbackCondition, signal: Signal) -> bool:
    named = signal.payload.get("condition")
    return signal.payload.get("metric") == condition.metric and named in {None, condition.name}


def _record(
    context: DecisionContext, condition: RollbackCondition, version: int | None
) -> Record | None:
    window = condition.window.total_seconds()
    return next(
        (
            record
            for record in context.snapshot.records
            if (record.version, record.metric, record.window) == (version, condition.metric, window)
        ),
        None,
    )


def _with(record: Record | None, condition: RollbackCondition, signal: Signal) -> Record | None:
    """The record with this figure in it; unchanged where the figure cannot be added up."""
    payload = signal.payload
    value, rows = _number(payload.get("value")), _rows(payload)
    if value is None or rows < 1 or payload.get("p_worse") is not None:
        return record
    if record is None:
        record = Record(
            version=0,
            metric=condition.metric,
            window=condition.window.total_seconds(),
            since=signal.occurred_at,
        )
    new = figure(record.index_of(signal.occurred_at), value, rows, _std(payload))
    return replace(record, spans=add_figure(record.spans, new))


def _read(
    context: DecisionContext, condition: RollbackCondition, signal: Signal, record: Record | None
) -> Reading:
    payload = signal.payload
    value, rows = _number(payload.get("value")), _rows(payload)
    if value is None or (record is None and payload.get("p_worse") is None):
        return _reading(condition, signal, None, f"{condition.metric} has no value", {})
    found = _bar(context, condition, payload)
    if found is None:
        words = f"there is no record of {condition.worse_than} to compare {condition.metric} with"
        return _reading(condition, signal, None, words, {"value": value, "n": rows})
    bar, alpha = found
    p_worse = _number(payload.get("p_worse"))
    if p_worse is not None or record is None:
        return _proven(condition, signal, (value, rows, bar, alpha), p_worse or 0.0)
    higher_is_worse = _lower_is_better(condition)
    ask = HarmQuestion(
        bar=bar,
        alpha=alpha,
        higher_is_worse=higher_is_worse,
        bounded=_is_share(condition.metric),
        min_samples=condition.min_samples,
    )
    return _said(condition, signal, ask, record)


def _proven(
    condition: RollbackCondition,
    signal: Signal,
    figures: tuple[float, int, float, float],
    p_worse: float,
) -> Reading:
    """A worker has tested it."""
    value, rows, bar, alpha = figures
    if rows < condition.min_samples:
        words = f"{rows:,} samples, at least {condition.min_samples:,} are needed"
        return _reading(condition, signal, None, words, {"value": value, "n": rows})
    words = f"{condition.metric} {format_number(value)} on {rows:,} samples, the threshold is {format_number(bar)}"
    values = {"value": value, "bar": bar, "n": rows, "alpha": alpha, "p_worse": p_worse}
    return _reading(condition, signal, p_worse <= alpha, words, values)


def _said(
    condition: RollbackCondition, signal: Signal, ask: HarmQuestion, record: Record
) -> Reading:
    found = judge_record(record, ask)
    values: dict[str, Any] = {"bar": ask.bar, "n": found.rows, "alpha": found.level}
    if math.isfinite(found.value):
        values["value"] = found.value
    words = f"{condition.metric} {format_number(found.value)} on {found.rows:,} samples"
    words += f", the threshold is {format_number(ask.bar)}"
    if found.why_not:
        words = found.why_not if "needed" in found.why_not else f"{words}; {found.why_not}"
        return _reading(condition, signal, None, words, values)
    if found.window:
        began = record.since + timedelta(seconds=record.window * found.window)
        words += f", since {format_time_utc(began)}"
        values["window"] = found.window
    if found.edge is not None:
        values["edge"] = found.edge
        side = "at least" if ask.higher_is_worse else "at most"
        words += (
            f"; at {percent(1 - found.level)} confidence it is {side} {format_number(found.edge)}"
        )
    elif found.odds is not None:
        values["odds"] = math.exp(min(found.odds, 700.0))
        sign = ">=" if found.bad else "<"
        odds, limit = format_number(values["odds"]), format_number(1 / found.level)
        words += f"; the odds that it is beyond the threshold are {odds} {sign} {limit}"
    good = found.value <= ask.bar if ask.higher_is_worse else found.value >= ask.bar
    return _reading(condition, signal, found.bad if found.bad or good else None, words, values)


def _bar(
    context: DecisionContext, condition: RollbackCondition, payload: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Where harm begins, and the level that is left: half of it is spent where the reference is a record."""
    alpha = round(1.0 - condition.confidence, 12)
    if condition.threshold is not None:
        return condition.threshold, alpha
    reference = _number(payload.get("reference"))
    if reference is None and condition.worse_than is Reference.PREVIOUS:
        reference = _previous(context, condition, alpha / 2)
        alpha /= 2
    if reference is None:
        return None
    allowed = condition.margin.value * (abs(reference) if condition.margin.relative else 1.0)
    bar = reference + allowed if _lower_is_better(condition) else reference - allowed
    return bar, alpha


def _previous(context: DecisionContext, condition: RollbackCondition, alpha: float) -> float | None:
    """The previous champion's record, as bad as it may truly be."""
    before = next((reign.version for reign in context.snapshot.history[1:]), None)
    record = _record(context, condition, before)
    whole = record.whole() if record else None
    if whole is None or whole.rows < condition.min_samples:
        return None
    return upper_bar(
        whole,
        alpha,
        higher_is_worse=_lower_is_better(condition),
        bounded=_is_share(condition.metric),
    )


def _booked(
    figures: tuple[Signal, ...], metrics: set[str], version: int | None
) -> Iterator[RecordFigure]:
    for signal in figures:
        payload = signal.payload
        value, rows = _number(payload.get("value")), _rows(payload)
        tested = payload.get("p_worse") is not None
        if payload.get("metric") not in metrics or value is None or rows < 1 or tested:
            continue
        if version is not None and signal.kind is SignalKind.METRIC:
            yield RecordFigure(
                version=version,
                metric=str(payload["metric"]),
                value=value,
                rows=rows,
                std=_std(payload),
                at=signal.occurred_at,
                signal=signal.id,
            )


def _rows(payload: Mapping[str, Any]) -> int:
    """How many rows the figure is a mean of; one where it says nothing."""
    given = payload.get("n")
    return 1 if given is None else int(_number(given) or 0)


def _std(payload: Mapping[str, Any]) -> float | None:
    given = _number(payload.get("std"))
    return given if given is not None and given > 0 else None


def _is_share(metric: str) -> bool:
    known = find_metric(metric)
    return known is not None and known.lower_bound == 0.0 and known.upper_bound == 1.0


def _lower_is_better(condition: RollbackCondition) -> bool:
    return is_lower_better(condition.metric, higher_is_better=condition.higher_is_better)


def describe_condition(condition: RollbackCondition) -> str:
    """The condition in words."""
    if condition.threshold is not None:
        return f"{condition.metric} beyond {format_number(condition.threshold)}"
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
