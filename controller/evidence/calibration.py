"""Thresholds from the reference itself, so that "0.1" need not be believed.

Windows of the batch's size are drawn from the reference, where nothing has drifted by
definition, and the threshold is what they exceed in the stated share of cases. Drawn from one
profile they know sampling noise alone. Drawn from the profiles of its batches (days, files)
they know how the data wanders from day to day as well, which is most of what alarms at night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.domain.drift import MIN_ROWS, THRESHOLDS, DriftMetric, Threshold
from controller.domain.errors import UserError
from controller.domain.profiles import ColumnProfile, Profile
from controller.evidence.drift import DriftOptions, bin_counts, measure, reference_counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.domain.layouts import ColumnLayout, Layout

_CALIBRATED = tuple(threshold.metric for threshold in THRESHOLDS)
_COUNTS = ("negative_infinity", "positive_infinity", "nulls", "invalid", "other", "unseen")
"""The special bins, in the order of ``bin_counts``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationPlan:
    """``rows`` of a window, ``draws`` of them, the false alarms to allow per report, and the seed.

    The alarms are shared over the columns (Bonferroni), so that the rate holds for the report.
    """

    rows: int
    draws: int = 1000
    false_alarms: float = 0.01
    seed: int = 20130101


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Thresholds by column, and how they were found. ``windows`` is how many were compared."""

    columns: dict[str, tuple[Threshold, ...]]
    plan: CalibrationPlan
    windows: int
    from_batches: bool


def calibrate_thresholds(
    layout: Layout,
    reference: Profile | Sequence[Profile],
    plan: CalibrationPlan,
    *,
    scope: str | None = None,
) -> Calibration:
    """Thresholds that undrifted windows exceed in a share of ``plan.false_alarms`` reports.

    Args:
        layout: of all profiles.
        reference: one profile, whose rows are drawn anew; or the profiles of at least ten
            batches, each of which is compared with the sum of the others.
        plan: how many rows, draws and alarms.
        scope: one column only.

    Raises:
        UserError: too few rows, draws or batches for the rate that is asked.
    """
    columns = [c for c in layout.columns if scope in (None, c.name)]
    if not columns:
        raise UserError(f"there is no column {scope!r} to calibrate")
    if plan.rows < MIN_ROWS:
        raise UserError(
            f"windows of {plan.rows} rows are too small to calibrate;",
            hint=f"at least {MIN_ROWS} are needed.",
        )
    level = plan.false_alarms / len(columns)
    from_batches = not isinstance(reference, Profile)
    if isinstance(reference, Profile):
        if plan.draws * level < 1:
            raise UserError(
                f"{plan.draws} draws cannot find the {level:.2g} quantile;",
                hint=f"draw at least {math.ceil(1 / level)} windows.",
            )
        pairs = {c.name: _drawn(c, reference, plan) for c in columns}
        windows = plan.draws
    else:
        if len(reference) < 10:
            raise UserError(
                f"{len(reference)} batches are too few to calibrate on;", hint="give at least ten."
            )
        pairs = {c.name: _left_out(c, reference) for c in columns}
        windows = len(reference)
    options = DriftOptions(training_reference=not from_batches)
    found = {c.name: _thresholds(c, pairs[c.name], level, options) for c in columns}
    return Calibration(columns=found, plan=plan, windows=windows, from_batches=from_batches)


def _thresholds(
    column: ColumnLayout,
    pairs: Iterator[tuple[ColumnProfile, ColumnProfile]],
    level: float,
    options: DriftOptions,
) -> tuple[Threshold, ...]:
    seen: dict[DriftMetric, list[float]] = {metric: [] for metric in _CALIBRATED}
    for reference, window in pairs:
        values = measure(column, reference, window, options).values
        for metric in _CALIBRATED:
            if metric in values:
                seen[metric].append(values[metric])
    return tuple(
        replace(
            threshold,
            alert=_upper(seen[threshold.metric], level),
            warn=_upper(seen[threshold.metric], min(10 * level, 0.5)),
            reason=f"undrifted windows of the reference exceed it in {level:.2%} of cases",
        )
        for threshold in THRESHOLDS
        if seen[threshold.metric]
    )


def _upper(values: list[float], level: float) -> float:
    """The quantile with a value of the sample on its far side, and never zero: any effect is above zero."""
    found = float(np.quantile(values, max(1 - level, 0.0), method="higher"))
    return max(math.nextafter(found, math.inf), 1e-6)


def _drawn(
    column: ColumnLayout, reference: Profile, plan: CalibrationPlan
) -> Iterator[tuple[ColumnProfile, ColumnProfile]]:
    """Windows whose rows are drawn from the reference's bins, with replacement."""
    whole = reference.by_name[column.name]
    counts = reference_counts(column, whole, training=True)
    counts[-2] += whole.rows - bin_counts(column, whole).sum()  # values without bins (nested ones)
    if counts.sum() == 0:
        return
    generator = np.random.default_rng([plan.seed, *column.name.encode()])
    bins = column.bins
    for drawn in generator.multinomial(plan.rows, counts / counts.sum(), size=plan.draws):
        special: dict[str, Any] = dict(zip(_COUNTS, map(int, drawn[bins:]), strict=True))
        window = ColumnProfile(
            name=column.name,
            kind=column.kind,
            rows=plan.rows,
            bins=tuple(drawn[:bins].tolist()),
            **special,
        )
        yield whole, window


def _left_out(
    column: ColumnLayout, batches: Sequence[Profile]
) -> Iterator[tuple[ColumnProfile, ColumnProfile]]:
    """Each batch against the sum of all others, which are added up from both ends once."""
    found = [batch.by_name[column.name] for batch in batches]
    before = list(accumulate(found, ColumnProfile.add))
    after = list(accumulate(reversed(found), ColumnProfile.add))[::-1]
    last = len(found) - 1
    for at, batch in enumerate(found):
        if at == 0:
            rest = after[1]
        elif at == last:
            rest = before[last - 1]
        else:
            rest = before[at - 1].add(after[at + 1])
        if rest.rows and batch.rows:
            yield rest, batch
