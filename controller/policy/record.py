"""Holds a champion's record against a bar, at every look at once.

A team's serving posts a figure a minute, for as long as a version is champion. Each look is one more chance for luck
to take a good champion away, and a regression may come after a year of health. So the test is sequential, and it is
begun anew with each window: the test that begins with window k (0, 1, ...) is judged at
alpha * 6 / (pi^2 (k + 1)^2), which adds up to alpha over all windows that will ever be (Euler's sum).
Each of them holds at all looks at once:

- a share of failures (``error_rate``), without a spread of its own: the likelihood ratio against larger rates, a
  martingale under the bar; it is right for any values in [0, 1] (their logarithm is convex);
- a mean whose rows' standard deviation is known: the normal mixture of Howard et al. (2021);
- anything else, such as a percentile of the latency: each figure is one observation, its spread that between figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from controller.domain.records import Record, WindowSums
from controller.policy.unimproving import mixture_bound

FEWEST_ROWS = 10
"""Figures that are needed before their own spread can be told."""
_RATIOS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""How many times the bar the rates are that the likelihood ratio bets on, in equal parts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HarmQuestion:
    """What is asked of a record. ``bar`` is where harm begins; ``bounded`` says that values are shares in [0, 1]."""

    bar: float
    alpha: float
    higher_is_worse: bool
    bounded: bool
    min_samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HarmFinding:
    """Whether harm is shown, since which window, on how many rows, and by how much.

    ``edge`` is what the mean truly is at least (at most, where higher is better); None where odds were compared.
    """

    bad: bool
    window: int
    rows: int
    value: float
    level: float
    edge: float | None = None
    odds: float | None = None
    why_not: str = ""


def level_of(window: int, alpha: float) -> float:
    """The level of the test that begins with the window; over all windows these add up to ``alpha``."""
    return alpha * 6.0 / (math.pi**2 * (window + 1) ** 2)


def upper_bar(
    reference: WindowSums, alpha: float, *, higher_is_worse: bool, bounded: bool
) -> float:
    """How bad the reference's own mean may be, by its record: the bar must not be luck of the previous champion."""
    mean = reference.total / reference.rows
    variance = _row_variance(reference, mean, bounded=bounded)
    room = NormalDist().inv_cdf(1.0 - alpha) * math.sqrt(max(variance, 0.0) / _count(reference))
    return mean + room if higher_is_worse else mean - room


def judge_record(record: Record, ask: HarmQuestion) -> HarmFinding:
    """The strongest of the tests that began with each window; the whole reign where none shows harm."""
    whole = record.whole()
    best: HarmFinding | None = None
    for span in record.since_window():
        if span.rows < ask.min_samples:
            break  # later windows have fewer
        found = _test(span, whole, ask)
        if found.bad:
            return found
        best = best or found
    if best is not None:
        return best
    value = whole.total / whole.rows if whole.rows else math.nan
    return HarmFinding(
        bad=False,
        window=0,
        rows=whole.rows,
        value=value,
        level=ask.alpha,
        why_not=f"{whole.rows:,} samples, at least {ask.min_samples:,} are needed",
    )


def _test(span: WindowSums, whole: WindowSums, ask: HarmQuestion) -> HarmFinding:
    level = level_of(span.index, ask.alpha)
    if ask.bounded and span.spread_rows == 0:
        return _odds(span, ask, level)
    if span.spread_rows == span.rows and whole.within > 0:
        variance = whole.within / whole.spread_rows
        clock, target = span.within, ask.min_samples * variance
        return _bound(span, ask, level, (span.rows, span.total, clock, target))
    return _between(span, whole, ask, level)


def _odds(span: WindowSums, ask: HarmQuestion, level: float) -> HarmFinding:
    """Failures against the bar: the mean of likelihood ratios, which passes 1 / level by luck at most so often."""
    value = span.total / span.rows
    share, bar = (value, ask.bar) if ask.higher_is_worse else (1.0 - value, 1.0 - ask.bar)
    odds = _mean_ratio(share * span.rows, span.rows, bar)
    return HarmFinding(
        bad=odds >= -math.log(level),
        window=span.index,
        rows=span.rows,
        value=value,
        level=level,
        odds=odds,
    )


def _mean_ratio(failures: float, rows: int, bar: float) -> float:
    """The logarithm of the mean likelihood ratio of larger rates than ``bar``; a bar of none at all is 1e-6."""
    base = min(max(bar, 1e-6), 1.0 - 1e-9)
    rates = [rate for ratio in _RATIOS if (rate := base * ratio) < 1.0]
    rates = rates or [(1.0 + base) / 2]
    logs = [
        failures * math.log(rate / base) + (rows - failures) * math.log((1 - rate) / (1 - base))
        for rate in rates
    ]
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))


def _bound(
    span: WindowSums, ask: HarmQuestion, level: float, sums: tuple[float, float, float, float]
) -> HarmFinding:
    count, total, clock, target = sums
    value = total / count
    room = mixture_bound(clock, target, level) / count
    edge = value - room if ask.higher_is_worse else value + room
    bad = edge > ask.bar if ask.higher_is_worse else edge < ask.bar
    return HarmFinding(
        bad=bad, window=span.index, rows=span.rows, value=value, level=level, edge=edge
    )


def _between(span: WindowSums, whole: WindowSums, ask: HarmQuestion, level: float) -> HarmFinding:
    value = span.plain / span.figures
    mean = whole.plain / whole.figures
    spread = whole.squares / whole.figures - mean * mean
    if whole.figures < FEWEST_ROWS or spread <= 0:
        return HarmFinding(
            bad=False,
            window=span.index,
            rows=span.rows,
            value=value,
            level=level,
            why_not="without a standard deviation luck cannot be told from harm"
            f" before there are {FEWEST_ROWS} figures",
        )
    variance = spread * whole.figures / (whole.figures - 1)
    sums = (span.figures, span.plain, span.figures * variance, FEWEST_ROWS * variance)
    return _bound(span, ask, level, sums)


def _count(span: WindowSums) -> int:
    return (
        span.rows if span.spread_rows == span.rows or span.figures < FEWEST_ROWS else span.figures
    )


def _row_variance(span: WindowSums, mean: float, *, bounded: bool) -> float:
    if span.spread_rows:
        return span.within / span.spread_rows
    if bounded:
        return mean * (1 - mean) * _count(span) / span.rows
    if span.figures < FEWEST_ROWS:
        return 0.0
    plain = span.plain / span.figures
    return max(span.squares / span.figures - plain * plain, 0.0)
