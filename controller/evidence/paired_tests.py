"""Chooses the test that fits the data, and runs it.

The choice is always shown with its reason. In order: a forecast with a horizon gets
Diebold-Mariano; fewer than thirty blocks (or rows) get Student's t over the jackknife, because
a bootstrap of few units is too narrow; hard classes without a margin get McNemar's exact
test; a million units or more get the normal interval; all else gets the BCa bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from controller.domain.metrics import Metric
from controller.evidence.blocks import FEW_BLOCKS
from controller.evidence.bootstrap import (
    Interval,
    Statistic,
    WeightStatistic,
    bca_interval,
    jackknife_interval,
    normal_interval,
    wild_cluster_interval,
)
from controller.evidence.diebold_mariano import diebold_mariano
from controller.evidence.inputs import Rows, Unusable
from controller.evidence.losses import Array
from controller.evidence.mcnemar import McNemar, mcnemar_exact, mcnemar_interval
from controller.evidence.need import Question
from controller.evidence.sequence import RunningMoments, sequence_interval

MANY_UNITS: Final = 1_000_000
RESAMPLES: Final = 10_000
RESAMPLES_SORTED: Final = 2_000
"""Draws for metrics that must weigh every row anew, above `SORTED_ROWS` rows."""
SORTED_ROWS: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """All that a test may look at. ``statistic`` yields challenger, reference, difference, theta."""

    metric: Metric
    rows: Rows
    question: Question
    statistic: Statistic
    seed: int
    confidence: float
    resamples: int | None = None
    horizon: int | None = None

    @property
    def coverage(self) -> float:
        """Of the two bounds together: each end holds with ``confidence`` on its own."""
        return 2.0 * self.confidence - 1.0

    @property
    def unit(self) -> str:
        """What was resampled, in the plural."""
        return "rows" if self.rows.block is None else "blocks"


@dataclass(frozen=True, kw_only=True)
class PairedAnswer:
    """What a test says. Bounds ``low``/``high`` are of the difference, the p-values of theta."""

    title: str
    low: float | None = None
    high: float | None = None
    theta_low: float | None = None
    theta_high: float | None = None
    standard_error: float | None = None
    p_less: float | None = None
    p_greater: float | None = None
    resamples: int | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()
    details: Mapping[str, float | int | str | None] = field(default_factory=dict)


def choose_test(sample: Sample, wanted: str) -> tuple[str, str]:
    """The test to run and, where it was chosen here, the sentence that says why."""
    if wanted != "auto":
        return wanted, ""
    units = sample.rows.units
    if sample.horizon is not None and sample.metric.mean_of_losses and not sample.rows.weighted:
        return "diebold_mariano", "Forecasts overlap in time, so their errors are dependent."
    if units < FEW_BLOCKS:
        return "t", f"Only {units} independent {sample.unit}: Student's t instead of a bootstrap."
    if _hard_classes(sample) is not None and sample.question.margin == 0.0:
        return "mcnemar", "Both models answer with classes: only rows on which one is right count."
    if units >= MANY_UNITS:
        return "normal", f"{units:,} {sample.unit} are enough for the normal interval."
    if sample.rows.block is not None:
        return "bootstrap", f"Rows of a block depend on each other: {units:,} blocks are resampled."
    return "bootstrap", ""


def run_test(sample: Sample, test: str) -> PairedAnswer:
    """Run the test called ``test``; raises `Unusable` if it cannot be run on this sample."""
    answer = _TESTS[test](sample)
    pairs = _hard_classes(sample)
    if pairs is None or test == "mcnemar":
        return answer
    beside = _mcnemar_details(pairs)
    return replace(answer, details={**answer.details, **beside})


def _from_intervals(
    title: str, shown: Interval, tested: Interval, resamples: int | None
) -> PairedAnswer:
    return PairedAnswer(
        title=title,
        low=shown.low,
        high=shown.high,
        theta_low=tested.low,
        theta_high=tested.high,
        standard_error=tested.standard_error,
        p_less=tested.p_less,
        p_greater=tested.p_greater,
        resamples=resamples,
        problem=tested.problem or shown.problem,
    )


def _bootstrap(sample: Sample) -> PairedAnswer:
    statistic = sample.statistic
    heavy = isinstance(statistic, WeightStatistic) and sample.rows.n > SORTED_ROWS
    resamples = sample.resamples or (RESAMPLES_SORTED if heavy else RESAMPLES)
    values, left_out = statistic.estimate(), statistic.jackknife()
    draws = statistic.replicates(sample.seed, resamples)
    shown, tested = (
        bca_interval(float(values[i]), draws[i], left_out[i], sample.coverage) for i in (2, 3)
    )
    title = f"paired BCa bootstrap of {sample.rows.units:,} {sample.unit}"
    return _from_intervals(title, shown, tested, resamples)


def _over_jackknife(
    sample: Sample, interval: Callable[[float, Array, float], Interval], title: str
) -> PairedAnswer:
    values, left_out = sample.statistic.estimate(), sample.statistic.jackknife()
    shown, tested = (interval(float(values[i]), left_out[i], sample.coverage) for i in (2, 3))
    return _from_intervals(title, shown, tested, None)


def _student(sample: Sample) -> PairedAnswer:
    groups = sample.statistic.jackknife().shape[1]
    title = f"paired jackknife of {sample.rows.units:,} {sample.unit}, Student's t({groups - 1})"
    return _over_jackknife(sample, jackknife_interval, title)


def _normal(sample: Sample) -> PairedAnswer:
    title = f"paired normal interval, {sample.rows.units:,} {sample.unit}"
    return _over_jackknife(sample, normal_interval, title)


def _point(_sample: Sample) -> PairedAnswer:
    return PairedAnswer(title="bare numbers, no test")


def _row_values(sample: Sample, test: str) -> tuple[Array, Array]:
    rows = sample.rows
    values = sample.question.row_values(sample.metric, rows.y, rows.challenger, rows.reference)
    if values is None:
        raise Unusable(f"The test {test} needs a mean of losses; {sample.metric.name} is none.")
    if rows.weighted:
        raise Unusable(f"The test {test} does not take weights.")
    return values


def _diebold_mariano(sample: Sample) -> PairedAnswer:
    difference, theta = _row_values(sample, "diebold_mariano")
    horizon = sample.horizon or 1
    shown, tested = diebold_mariano(difference, horizon), diebold_mariano(theta, horizon)
    title = f"Diebold-Mariano, horizon {horizon}, {sample.rows.n:,} rows in time"
    problem = tested.problem or shown.problem
    if problem is not None:
        return PairedAnswer(title=title, problem=problem)
    low, high = shown.interval(sample.coverage)
    theta_low, theta_high = tested.interval(sample.coverage)
    note = "The plain variance was not positive: Bartlett weights were used."
    return PairedAnswer(
        title=title,
        low=low,
        high=high,
        theta_low=theta_low,
        theta_high=theta_high,
        standard_error=float(np.sqrt(tested.variance)),
        p_less=tested.p_less,
        p_greater=tested.p_greater,
        notes=(note,) if tested.bartlett else (),
        details={"dm": tested.dm, "hln": tested.hln, "horizon": horizon},
    )


def _wild_cluster(sample: Sample) -> PairedAnswer:
    difference, theta = _row_values(sample, "wild_cluster")
    block = sample.rows.block
    if block is None:
        raise Unusable("The test wild_cluster needs blocks.")
    resamples = sample.resamples or RESAMPLES
    sizes = np.bincount(block).astype(np.float64)
    shown, tested = (
        wild_cluster_interval(
            np.bincount(block, weights=column).astype(np.float64),
            sizes,
            confidence=sample.coverage,
            seed=sample.seed,
            resamples=resamples,
        )
        for column in (difference, theta)
    )
    title = f"wild cluster bootstrap-t of {sample.rows.units:,} blocks"
    return _from_intervals(title, shown, tested, resamples)


def _confidence_sequence(sample: Sample) -> PairedAnswer:
    shown_rows, tested_rows = _row_values(sample, "confidence_sequence")
    shown, tested = (
        sequence_interval(_running(sample, column), sample.coverage)
        for column in (shown_rows, tested_rows)
    )
    state = _running(sample, tested_rows)
    title = f"confidence sequence over {state.n:,} {sample.unit}, valid at every look"
    if not np.isfinite(tested.low):
        return PairedAnswer(
            title=title, problem="The losses do not vary yet: more rows are needed."
        )
    return PairedAnswer(
        title=title,
        low=shown.low,
        high=shown.high,
        theta_low=tested.low,
        theta_high=tested.high,
        standard_error=float(np.sqrt(state.variance / state.n)),
        p_less=tested.p_less,
        p_greater=tested.p_greater,
    )


def _running(sample: Sample, column: Array) -> RunningMoments:
    """The state after all rows, or after all blocks by their share of the mean."""
    block = sample.rows.block
    if block is not None:
        sizes = np.bincount(block).astype(np.float64)
        mean = float(np.mean(column))
        column = mean + (np.bincount(block, weights=column) - mean * sizes) / np.mean(sizes)
    mean = float(np.mean(column))
    return RunningMoments(len(column), mean, float(np.sum(np.square(column - mean))))


# --- classes ----------------------------------------------------------------------------------


def _hard_classes(sample: Sample) -> tuple[int, int] | None:
    """Rows that only the reference, and only the challenger, has right; None if not applicable."""
    rows, question = sample.rows, sample.question
    if sample.metric.name not in {"accuracy", "error_rate"} or rows.reference is None:
        return None
    if rows.block is not None or rows.weighted or question.grants:
        return None
    new, old = rows.challenger == rows.y, rows.reference == rows.y
    return int((old & ~new).sum()), int((new & ~old).sum())


def _mcnemar_details(pairs: tuple[int, int]) -> dict[str, float | int | str | None]:
    found = mcnemar_exact(*pairs)
    return {"mcnemar_b": found.b, "mcnemar_c": found.c, "mcnemar_p": found.p_value}


def _mcnemar(sample: Sample) -> PairedAnswer:
    pairs = _hard_classes(sample)
    if pairs is None:
        raise Unusable(
            "The test mcnemar needs accuracy or error_rate of two models, better_than, "
            "without blocks or weights."
        )
    if sample.question.margin > 0.0:
        raise Unusable("The test mcnemar has no margin: use bootstrap for better by a margin.")
    found: McNemar = mcnemar_exact(*pairs)
    b, c, n = found.b, found.c, sample.rows.n
    title = f"exact McNemar test of {b + c:,} rows on which one of both is right"
    if b + c == 0:
        return PairedAnswer(
            title=title, problem="Both models are right and wrong on the same rows."
        )
    low, high = mcnemar_interval(b, c, n, sample.coverage)  # of the error rate: theta
    turned = (low, high) if sample.metric.lower_is_better else (-high, -low)
    return PairedAnswer(
        title=title,
        low=turned[0],
        high=turned[1],
        theta_low=low,
        theta_high=high,
        standard_error=float(np.sqrt(b + c - (b - c) ** 2 / n)) / n,
        p_less=found.p_better,
        p_greater=found.p_worse,
        details=_mcnemar_details(pairs),
    )


_TESTS: Final[Mapping[str, Callable[[Sample], PairedAnswer]]] = {
    "bootstrap": _bootstrap,
    "t": _student,
    "normal": _normal,
    "wild_cluster": _wild_cluster,
    "mcnemar": _mcnemar,
    "diebold_mariano": _diebold_mariano,
    "confidence_sequence": _confidence_sequence,
    "point": _point,
}
