"""Compares two profiles: has the data moved, by how much, and can the alarm be believed?

An alarm needs three things. An effect: a debiased distance over its threshold. Significance: a
test that holds over all columns together (Benjamini and Hochberg), because twenty columns at
5 % each alarm in two reports of three. And history: a column that always wanders must wander
further than it did in the batches that were accepted. With too few rows there is no answer,
and "no drift" is an answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.domain.drift import (
    FALSE_DISCOVERY_RATE,
    MIN_ROWS,
    THRESHOLDS,
    ColumnDrift,
    DriftMetric,
    DriftReport,
    DriftVerdict,
    MovedBin,
    Threshold,
    worst_verdict,
)
from controller.domain.errors import UserError
from controller.domain.layouts import ColumnKind
from controller.domain.profiles import ColumnProblem
from controller.evidence import distances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from controller.domain.layouts import ColumnLayout, Layout
    from controller.domain.profiles import ColumnProfile, Profile

HISTORY_BATCHES = 5
"""Accepted batches that a history needs before it counts."""

_SHAPED = (ColumnKind.NUMERIC, ColumnKind.TEXT, ColumnKind.CATEGORY, ColumnKind.BOOLEAN)
_ORDERED = (ColumnKind.NUMERIC, ColumnKind.TEXT)
_SPECIAL = ("-inf", "+inf", "null", "unreadable", "other", "unseen")


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftOptions:
    """How to judge. ``critical`` columns make the data set's verdict (all of them, if None).

    ``training_reference`` says that the reference is the profile of the rows that the layout was made
    from; False for any other window.
    ``thresholds`` replaces the table for all columns, ``calibrated`` for single ones (see
    ``controller.evidence.calibration``). ``history`` has for a column the values of earlier
    accepted batches.
    """

    critical: tuple[str, ...] | None = None
    training_reference: bool = True
    thresholds: tuple[Threshold, ...] = THRESHOLDS
    calibrated: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)
    history: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    min_rows: int = MIN_ROWS
    false_discovery_rate: float = FALSE_DISCOVERY_RATE


@dataclass(frozen=True, slots=True)
class ColumnMeasures:
    """The numbers of one column before any verdict. ``p_value`` is None where nothing could be tested."""

    values: dict[str, float]
    p_value: float | None
    moved: tuple[MovedBin, ...]


def compare_profiles(
    layout: Layout, reference: Profile, current: Profile, options: DriftOptions | None = None
) -> DriftReport:
    """How far ``current`` is from ``reference``; both are profiles of ``layout``.

    Raises:
        UserError: a profile was counted with another layout, or a critical column does not exist.
    """
    options = options or DriftOptions()
    for which, profile in (("reference", reference), ("current", current)):
        if profile.layout != layout.digest:
            raise UserError(
                f"the {which} profile was counted with layout {profile.layout[:12]}, "
                f"not with {layout.digest[:12]};",
                hint="count it again with this layout.",
            )
    critical = _critical(layout, options)
    enough = min(reference.rows, current.rows) >= options.min_rows
    measured = {
        column.name: measure(
            column, reference.by_name[column.name], current.by_name[column.name], options
        )
        if enough
        else ColumnMeasures({}, None, ())
        for column in layout.columns
    }
    significant = _significant(measured, options.false_discovery_rate)
    columns = tuple(
        _judge(
            column,
            (reference.by_name[column.name], current.by_name[column.name]),
            measured[column.name],
            options,
            significant=column.name in significant,
        )
        for column in layout.columns
    )
    deciding = [found for found in columns if found.column in critical]
    return DriftReport(
        verdict=worst_verdict([found.verdict for found in deciding]),
        reference_rows=reference.rows,
        rows=current.rows,
        layout=layout.digest,
        critical=critical,
        columns=columns,
        reasons=tuple(
            f"{found.column}: {reason}"
            for found in deciding
            if found.verdict is not DriftVerdict.OK
            for reason in found.reasons
        ),
        false_discovery_rate=options.false_discovery_rate,
    )


def _critical(layout: Layout, options: DriftOptions) -> tuple[str, ...]:
    if options.critical is None:
        return tuple(column.name for column in layout.columns)
    if not options.critical:
        raise UserError(
            "the list of critical columns is empty;", hint="name a column or leave it out."
        )
    for name in options.critical:
        if name not in layout.by_name:
            raise UserError(
                f"the critical column {name!r} is not in the reference;",
                hint=f"it has {', '.join(list(layout.by_name)[:10])}.",
            )
    return options.critical


def _significant(measured: Mapping[str, ColumnMeasures], rate: float) -> set[str]:
    tested = [
        (name, found.p_value) for name, found in measured.items() if found.p_value is not None
    ]
    rejected = distances.benjamini_hochberg([p for _, p in tested], rate)
    return {name for (name, _), is_rejected in zip(tested, rejected, strict=True) if is_rejected}


# --- measuring ---------------------------------------------------------------------------------------


def measure(
    column: ColumnLayout,
    reference: ColumnProfile,
    current: ColumnProfile,
    options: DriftOptions | None = None,
) -> ColumnMeasures:
    """All metrics of one column that apply to its kind and have enough values.

    The p-value is the smallest of the column's tests, times their number (Bonferroni).
    """
    options = options or DriftOptions()
    values: dict[str, float] = {}
    p_values: list[float] = []
    _measure_nulls(reference, current, values, p_values)
    if column.kind not in _SHAPED:
        return ColumnMeasures(values, _combined(p_values), ())
    before = reference_counts(column, reference, training=options.training_reference)
    now = bin_counts(column, current)
    groups = _groups(column, before, min(before.sum(), now.sum()))
    first, second = distances.grouped(before, groups), distances.grouped(now, groups)
    statistic, p_value, freedom = distances.chi2(first, second)
    p_values.append(p_value)
    values |= {
        DriftMetric.JENSEN_SHANNON: distances.jensen_shannon(first, second),
        DriftMetric.PSI: distances.psi(first, second),
        DriftMetric.HELLINGER: distances.hellinger(first, second),
        DriftMetric.TOTAL_VARIATION: distances.total_variation(first, second),
        DriftMetric.CHI2: statistic,
        DriftMetric.CRAMERS_V: distances.cramers_v(
            statistic, freedom, float(first.sum() + second.sum())
        ),
    }
    if column.kind in _ORDERED:
        _measure_order(column, reference, current, options.min_rows, values, p_values)
    elif column.rare_complete and reference.valid and current.valid:
        excess, p_value = _unseen(column, reference, current, training=options.training_reference)
        values[DriftMetric.UNSEEN_RATE] = excess
        p_values.append(p_value)
    return ColumnMeasures(
        {str(k): float(v) for k, v in values.items()},
        _combined(p_values),
        _moved(column, before, now),
    )


def _combined(p_values: list[float]) -> float | None:
    return min(1.0, len(p_values) * min(p_values)) if p_values else None


def _measure_nulls(
    reference: ColumnProfile,
    current: ColumnProfile,
    values: dict[str, float],
    p_values: list[float],
) -> None:
    before, now = reference.nulls + reference.nan, current.nulls + current.nan
    values[DriftMetric.NULL_RATE] = abs(now / current.rows - before / reference.rows)
    # of a rare event the test is exact, of a frequent one (a column that is mostly null) its complement
    if before + now > (reference.rows + current.rows) / 2:
        before, now = reference.rows - before, current.rows - now
    p_values.append(distances.rates_p_value(before, reference.rows, now, current.rows))


def _measure_order(
    column: ColumnLayout,
    reference: ColumnProfile,
    current: ColumnProfile,
    min_rows: int,
    values: dict[str, float],
    p_values: list[float],
) -> None:
    """What needs an order of the values: on those that are there, if they are enough."""
    if min(sum(reference.bins), sum(current.bins)) < min_rows:
        return
    first, second = (
        np.array([p.bins[0] + p.negative_infinity, *p.bins[1:-1], p.bins[-1] + p.positive_infinity])
        for p in (reference, current)
    )
    values[DriftMetric.KS] = distances.ks(first, second)
    p_values.append(distances.ks_p_value(first, second))
    moved = distances.wasserstein(column.edges, first, second, discrete=column.discrete)
    if moved is not None and math.isfinite(moved):
        values[DriftMetric.WASSERSTEIN] = moved


def _unseen(
    column: ColumnLayout, reference: ColumnProfile, current: ColumnProfile, *, training: bool
) -> tuple[float, float]:
    """The share of values never seen before, beyond what is to be expected, and its p-value.

    Of the training data itself nothing is unseen; n1 singletons among m rows foretell n1/m
    (Good 1953), with a variance of (n1 + 2 n2)/m² (Robbins 1968, Esty 1983): as if it had been
    counted in fewer rows.
    """
    rows = float(reference.valid)
    expected = float(reference.unseen)
    if training:
        expected = float(min(column.singletons, reference.other))
        if expected:
            certainty = expected / (expected + 2 * column.doubletons)
            expected, rows = expected * certainty, rows * certainty
    excess = current.unseen / current.valid - expected / rows
    if excess <= 0:
        return 0.0, 1.0
    return excess, distances.rates_p_value(expected, rows, current.unseen, current.valid)


def bin_counts(column: ColumnLayout, profile: ColumnProfile) -> NDArray[np.float64]:
    """All bins of a column in one row: the ordinary ones, then those of ``_SPECIAL``."""
    return np.array(
        [
            *(profile.bins or (0,) * column.bins),
            profile.negative_infinity,
            profile.positive_infinity,
            profile.nulls + profile.nan,
            profile.invalid,
            profile.other,
            profile.unseen,
        ],
        dtype=np.float64,
    )


def reference_counts(
    column: ColumnLayout, reference: ColumnProfile, *, training: bool
) -> NDArray[np.float64]:
    """The same for a reference, freed of what its choice of categories has biased.

    Of the training data the half that chose the categories is left out.
    """
    counts = bin_counts(column, reference)
    if not training or column.kind is not ColumnKind.CATEGORY:
        return counts
    aside = np.array(column.set_aside, dtype=np.float64)
    at_other = counts.size - 2
    own = np.arange(column.bins)
    if aside.size != column.bins + 1 or np.any(counts[[*own, at_other]] < aside):
        return counts
    kept = 1.0 - aside.sum() / max(counts[own].sum() + reference.other, 1.0)
    counts[column.bins : at_other] *= kept
    counts[own] -= aside[:-1]
    counts[at_other] -= aside[-1]
    return counts


def _groups(column: ColumnLayout, before: NDArray[np.float64], rows: float) -> NDArray[np.int64]:
    """Ordinary bins too small for ``rows`` are joined; each special bin stays by itself.

    Categories are joined by the half of the reference that is not compared: choosing by the
    compared one would favour what happened to be frequent there. "Other" and "unseen" are one
    group: what is rare in one sample is missing from the next, and unseen values have their own test.
    """
    ordinary = before[: column.bins]
    if len(column.set_aside) == column.bins + 1:
        ordinary = np.array(column.set_aside[:-1], dtype=np.float64)
    expected = rows * before[: column.bins].sum() / before.sum()
    if ordinary.sum() == 0:
        groups = np.zeros(column.bins, dtype=np.int64)
    elif column.kind in _ORDERED:
        groups = distances.collapse_ordered(ordinary, expected)
    else:
        groups = distances.collapse_listed(ordinary, expected)
    first = int(groups.max()) + 1 if groups.size else 0
    special = first + np.minimum(np.arange(len(_SPECIAL)), len(_SPECIAL) - 2)
    return np.concatenate([groups, special])


def _moved(
    column: ColumnLayout, before: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[MovedBin, ...]:
    """The three bins whose shares changed most."""
    first, second = distances.shares(before), distances.shares(now)
    labels = (*column.labels(), *_SPECIAL)
    order = np.argsort(-np.abs(second - first), kind="stable")[:3]
    return tuple(
        MovedBin(label=labels[at], reference=float(first[at]), current=float(second[at]))
        for at in order
        if first[at] != second[at]
    )


# --- judging -----------------------------------------------------------------------------------------


def _judge(
    column: ColumnLayout,
    pair: tuple[ColumnProfile, ColumnProfile],
    measured: ColumnMeasures,
    options: DriftOptions,
    *,
    significant: bool,
) -> ColumnDrift:
    reference, current = pair
    verdict, firing, reasons = _verdict(column, pair, measured, options, significant=significant)
    return ColumnDrift(
        column=column.name,
        kind=column.kind.value,
        verdict=verdict,
        reference_rows=reference.rows,
        rows=current.rows,
        values=measured.values,
        p_value=measured.p_value,
        significant=significant,
        firing=tuple(firing),
        reasons=tuple(reasons),
        moved=measured.moved,
        problem=current.problem.value if current.problem else None,
    )


def _verdict(
    column: ColumnLayout,
    pair: tuple[ColumnProfile, ColumnProfile],
    measured: ColumnMeasures,
    options: DriftOptions,
    *,
    significant: bool,
) -> tuple[DriftVerdict, list[str], list[str]]:
    reference, current = pair
    verdicts, reasons = _problems(current)
    rows = min(reference.rows, current.rows)
    if rows < options.min_rows:
        side = "the batch" if current.rows <= reference.rows else "the reference"
        reasons.append(f"{side} has {rows} rows, and below {options.min_rows} nothing can be said")
        return worst_verdict([*verdicts, DriftVerdict.NOT_ENOUGH_DATA]), [], reasons
    firing: list[str] = []
    for threshold in options.calibrated.get(column.name, options.thresholds):
        found = _fires(threshold, pair, measured)
        if found is DriftVerdict.OK or not significant:
            continue
        value = measured.values[threshold.metric]
        ceiling = history_ceiling(options.history.get(column.name, ()), threshold.metric)
        if ceiling is not None and value <= ceiling:
            reasons.append(
                f"{threshold.metric.value} {value:.3g} is within its history (up to {ceiling:.3g})"
            )
            continue
        verdicts.append(found)
        firing.append(threshold.metric.value)
        limit = {DriftVerdict.ALERT: threshold.alert, DriftVerdict.WARN: threshold.warn}[found]
        reasons.append(f"{threshold.metric.value} {value:.3g} is over {limit:.3g}")
    return worst_verdict([*verdicts, DriftVerdict.OK]), firing, reasons


def _problems(current: ColumnProfile) -> tuple[list[DriftVerdict], list[str]]:
    """What is wrong with the column itself is told at any number of rows but none."""
    if current.problem is None or current.rows == 0:
        return [], []
    if current.problem is ColumnProblem.MISSING:
        return [DriftVerdict.ALERT], ["the column is missing"]
    if current.problem is ColumnProblem.TIME_ZONE_CHANGED:
        return [DriftVerdict.WARN], [f"the time zone changed: it is {current.found_type} now"]
    unread = current.invalid / current.rows
    said = f"the type changed to {current.found_type}"
    if current.invalid:
        said += f", and {current.invalid} values cannot be read"
    return [DriftVerdict.ALERT if unread >= 0.01 else DriftVerdict.WARN], [said]


def _fires(
    threshold: Threshold, pair: tuple[ColumnProfile, ColumnProfile], measured: ColumnMeasures
) -> DriftVerdict:
    value = measured.values.get(threshold.metric)
    if value is None or value < threshold.warn:
        return DriftVerdict.OK
    if value < threshold.alert:
        return DriftVerdict.WARN
    if threshold.metric is DriftMetric.NULL_RATE:
        before, now = (profile.null_rate or 0.0 for profile in pair)
        return DriftVerdict.ALERT if max(before, now) >= 2 * min(before, now) else DriftVerdict.WARN
    return DriftVerdict.ALERT


def history_ceiling(history: Sequence[Mapping[str, float]], metric: DriftMetric) -> float | None:
    """Mean + 3 standard deviations over the accepted batches; None below ``HISTORY_BATCHES`` of them."""
    values = [batch[metric] for batch in history if metric in batch]
    if len(values) < HISTORY_BATCHES:
        return None
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean + 3 * math.sqrt(variance)
