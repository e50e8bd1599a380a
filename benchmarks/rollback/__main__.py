"""Planted regressions and healthy champions through the test that `rollback.when` uses.

A champion serves; its labels come in figures of 200 rows, 24 figures a window, 21 windows. Every figure is a look. The
previous champion's record has 20,000 rows. Absolute errors are gamma distributed with a standard deviation as large
as their mean; failures are Bernoulli at 1 %. A regression multiplies the mean from some window on: from the first one,
or from the tenth, after a long time of health.

    python -m benchmarks.rollback [--champions 1000] [--regressions 200]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from controller.domain.records import Record, WindowSums, add_figure, figure
from controller.policy.record import HarmQuestion, judge_record, upper_bar

ROWS, FIGURES, WINDOWS, BEFORE = 200, 24, 21, 20_000
ALPHA = 0.05
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """A metric: its mean where all is well, and whether it is a share of failures."""

    name: str
    mean: float
    share: bool


KINDS = (Kind("mae", 14.0, share=False), Kind("error_rate", 0.01, share=True))


def draw(
    rng: np.random.Generator, kind: Kind, mean: float, rows: int
) -> tuple[float, float | None]:
    """A figure: the mean of so many rows, and their standard deviation where it is told."""
    if kind.share:
        return float(rng.binomial(rows, mean)) / rows, None
    values = rng.gamma(1.0, mean, rows)
    return float(values.mean()), float(values.std(ddof=1))


def reign(
    rng: np.random.Generator, kind: Kind, worse: float, begins: int, margin: float
) -> int | None:
    """Labels from the first bad one to the demand to roll back; None: there was none until the end.

    Of a healthy champion (`worse` 0) they count from its first label.
    """
    value, std = draw(rng, kind, kind.mean, BEFORE)
    reference = upper_bar(
        figure(0, value, BEFORE, std), ALPHA / 2, higher_is_worse=True, bounded=kind.share
    )
    ask = HarmQuestion(
        bar=reference * (1 + margin),
        alpha=ALPHA / 2,
        higher_is_worse=True,
        bounded=kind.share,
        min_samples=1000,
    )
    spans: tuple[WindowSums, ...] = ()
    first = begins * FIGURES
    for number in range(WINDOWS * FIGURES):
        mean = kind.mean * (1 + worse) if number >= first else kind.mean
        value, std = draw(rng, kind, mean, ROWS)
        spans = add_figure(spans, figure(number // FIGURES, value, ROWS, std))
        record = Record(version=2, metric=kind.name, window=86_400.0, since=SINCE, spans=spans)
        if judge_record(record, ask).bad:
            return (number + 1 - (first if worse else 0)) * ROWS
    return None


def main() -> None:
    """Print the table of RESULTS.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--champions", type=int, default=1000)
    words.add_argument("--regressions", type=int, default=200)
    words.add_argument("--seed", type=int, default=7)
    given = words.parse_args()
    rng = np.random.default_rng(given.seed)
    began = time.perf_counter()
    print(
        f"alpha {ALPHA}, {given.champions} healthy champions, {given.regressions} regressions each\n"
    )
    print("| metric | margin | what | found | too early | labels p50 | p90 |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        ends = [reign(rng, kind, 0.0, 0, 0.0) for _ in range(given.champions)]
        false = sum(end is not None for end in ends)
        print(
            f"| {kind.name} | 0 | healthy, {WINDOWS * FIGURES} looks | {false} of {given.champions} | | | |"
        )
        for worse in (0.05, 0.10, 0.30):
            for begins in (0, 10):
                _row(rng, kind, worse, begins, given.regressions)
    print(f"\n{time.perf_counter() - began:.0f} s")


def _row(rng: np.random.Generator, kind: Kind, worse: float, begins: int, regressions: int) -> None:
    ends = [reign(rng, kind, worse, begins, 0.0) for _ in range(regressions)]
    seen = sorted(end for end in ends if end is not None and end > 0)
    early = sum(end is not None and end <= 0 for end in ends)
    middle = f"{statistics.median(seen):,.0f}" if seen else ""
    late = f"{seen[int(len(seen) * 0.9) - 1]:,.0f}" if seen else ""
    when = f"+{worse:.0%} from window {begins + 1}"
    print(
        f"| {kind.name} | 0 | {when} | {len(seen)} of {regressions} | {early} | {middle} | {late} |"
    )


if __name__ == "__main__":
    main()
