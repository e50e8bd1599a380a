"""Has the model become worse than it was when it was trained? A test that may be looked at every day.

Labels come day by day and somebody looks each time; thirty looks with an ordinary interval find
decay that is none in a quarter of all cases. A confidence sequence holds at all looks. Rows of one
day resemble each other, so that the blocks of the sequence are days and not rows. A long good time
would hide a late fall: the sequence starts anew with each window, and the k-th start is tested
at the share 6/(π²k²) of the level, which sums to all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from controller.domain.decay import DecayReport, DecayVerdict, MetricPoint
from controller.domain.metrics import find_metric, unknown_metric_sentence
from controller.evidence.inputs import Unusable
from controller.evidence.scores import score
from controller.evidence.sequence import RunningMoments, add_observation, sequence_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from controller.domain.metrics import Metric

FEWEST_BLOCKS = 5
"""Below this many blocks their spread is not known well enough for any verdict."""

TIGHTEST_BLOCKS = 30.0
"""The look at which the sequence is tightest: a month of days."""


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Predictions whose labels have come. ``times`` are aware datetimes or ``datetime64`` in UTC.

    ``slices`` has a value a row where the metric is wanted by slice.
    """

    truth: Any
    prediction: Any
    times: Any
    slices: Any = None
    classes: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayPlan:
    """What counts as decay: ``metric`` worse than ``reference`` by more than ``margin``.

    ``margin`` is in the metric's unit, or a fraction of the reference if ``relative``. Blocks are
    ``block`` long, windows ``window``; a block with fewer than ``block_labels`` is left out.
    """

    metric: str
    reference: float
    margin: float = 0.0
    relative: bool = False
    window: timedelta = timedelta(days=30)
    block: timedelta = timedelta(days=1)
    min_labels: int = 100
    block_labels: int = 5
    confidence: float = 0.95

    def limit(self, metric: Metric) -> float:
        """The value that the metric must not be worse than."""
        reach = abs(self.reference) * self.margin if self.relative else self.margin
        return self.reference + (reach if metric.lower_is_better else -reach)


def metrics_by_window(
    name: str, rows: LabelledRows, window: timedelta, *, min_labels: int = 1
) -> tuple[MetricPoint, ...]:
    """The metric of each window of time, oldest first, then of each slice in it.

    Windows are aligned to 1970; those without rows are left out.

    Raises:
        Unusable: the columns differ in length, a time is missing, or the metric cannot be computed.
    """
    times = _seconds(rows)
    width = window.total_seconds()
    if width <= 0:
        raise Unusable(f"a window of {window} has no length.")
    found: list[MetricPoint] = []
    slot = np.floor(times / width)
    for number in np.unique(slot):
        inside = slot == number
        start = datetime.fromtimestamp(float(number * width), UTC)
        for title, chosen in _slices(rows, inside):
            value, labels = _score(name, rows, chosen, min_labels)
            found.append(
                MetricPoint(
                    start=start, end=start + window, labels=labels, value=value, slice=title
                )
            )
    return tuple(found)


def _slices(
    rows: LabelledRows, inside: NDArray[np.bool_]
) -> Iterator[tuple[str | None, NDArray[np.bool_]]]:
    yield None, inside
    if rows.slices is not None:
        of_row = np.asarray(rows.slices).astype(str)
        for name in np.unique(of_row[inside]):
            yield str(name), inside & (of_row == name)


def _seconds(rows: LabelledRows) -> NDArray[np.float64]:
    count = len(rows.truth)
    for title, column in (
        ("prediction", rows.prediction),
        ("times", rows.times),
        ("slices", rows.slices),
    ):
        if column is not None and len(column) != count:
            raise Unusable(f"there are {count} labels and {len(column)} values of {title}.")
    times = np.asarray(rows.times)
    if times.dtype == object:
        if any(not isinstance(t, datetime) or t.tzinfo is None for t in times):
            raise Unusable("a time is missing or has no time zone.")
        return np.array([t.timestamp() for t in times], dtype=np.float64)
    if times.dtype.kind != "M":
        raise Unusable(f"times are {times.dtype}, expected datetimes.")
    if np.isnat(times).any():
        raise Unusable("a time is missing or has no time zone.")
    return times.astype("datetime64[us]").astype(np.int64) / 1e6


def _score(
    name: str, rows: LabelledRows, chosen: NDArray[np.bool_], min_labels: int
) -> tuple[float | None, int]:
    truth = np.asarray(rows.truth)[chosen]
    labels = int(np.sum(truth == truth)) if truth.dtype.kind == "f" else len(truth)  # noqa: PLR0124
    if labels < max(min_labels, 1):
        return None, labels
    value = score(name, truth, np.asarray(rows.prediction)[chosen], classes=rows.classes)
    return (value if math.isfinite(value) else None), labels


def judge_decay(rows: LabelledRows, plan: DecayPlan, against: Any = None) -> DecayReport:
    """Whether the metric is worse than the limit, as far as these rows prove it.

    The rows are those since the model took its seat; decay that was proven once stays proven, so that
    a caller who wants the last weeks alone passes these alone, or asks for ``last_proven_at``.

    ``against`` are the predictions of another version for the same rows: then the differences block by
    block are tested (what is hard for both cancels out), and ``plan.reference`` is the other's value.

    Raises:
        Unusable: the metric is unknown, or the rows cannot be scored.
    """
    metric = find_metric(plan.metric)
    if metric is None:
        raise Unusable(unknown_metric_sentence(plan.metric))
    limit = plan.limit(metric)
    points = metrics_by_window(plan.metric, rows, plan.block, min_labels=plan.block_labels)
    whole = [p for p in points if p.slice is None]
    used = [p for p in whole if p.value is not None]
    bar = limit
    if against is not None:
        other = replace(rows, prediction=against, slices=None)
        used = _differences(
            used, metrics_by_window(plan.metric, other, plan.block, min_labels=plan.block_labels)
        )
        bar = limit - plan.reference
    labels = sum(point.labels for point in whole)
    report = DecayReport(
        metric=plan.metric,
        verdict=DecayVerdict.NOT_ENOUGH_DATA,
        reference=plan.reference,
        limit=limit,
        labels=labels,
        blocks=len(used),
        points=points,
    )
    if labels < plan.min_labels:
        return replace(report, reasons=(f"{labels} labels, and {plan.min_labels} are needed",))
    if len(used) < FEWEST_BLOCKS:
        return replace(report, reasons=(f"{len(used)} blocks, and {FEWEST_BLOCKS} are needed",))
    return _tested(report, used, plan, (1.0 if metric.lower_is_better else -1.0, bar))


def _differences(points: list[MetricPoint], others: tuple[MetricPoint, ...]) -> list[MetricPoint]:
    known = {point.start: point.value for point in others if point.value is not None}
    return [
        replace(point, value=(point.value or 0.0) - known[point.start])
        for point in points
        if point.start in known
    ]


def _tested(
    report: DecayReport, points: list[MetricPoint], plan: DecayPlan, side: tuple[float, float]
) -> DecayReport:
    """``side`` is the sign that turns scores into losses, so that larger is worse, and the bar they are held to."""
    sign, bar = side
    worst = sign * bar
    proven: datetime | None = None
    latest: datetime | None = None
    p_worse = 1.0
    state, start, number = RunningMoments(), points[0].start, 1
    alpha = _share(plan, number)
    for point in points:
        if point.start - start >= plan.window:
            state, start, number = RunningMoments(), point.start, number + 1
            alpha = _share(plan, number)
        state = add_observation(state, sign * (point.value or 0.0))
        low, high = _bounds(state, alpha)
        if state.n < FEWEST_BLOCKS:
            continue
        p_worse = min(p_worse, _p_worse(state, worst, alpha) * alpha_share(number))
        if low > worst:
            proven, latest = proven or point.end, point.end
    if state.n < FEWEST_BLOCKS and proven is None:
        verdict = DecayVerdict.UNDECIDED
    elif proven is not None:
        verdict = DecayVerdict.DECAYED
    else:
        verdict = DecayVerdict.HOLDING if high < worst else DecayVerdict.UNDECIDED
    ends = sorted((sign * low, sign * high))
    finite = math.isfinite(ends[0]) and math.isfinite(ends[1])
    estimate = sign * state.mean
    said = {
        DecayVerdict.DECAYED: f"worse than {report.limit:.6g}, proven at {proven}",
        DecayVerdict.HOLDING: f"not worse than {report.limit:.6g}",
        DecayVerdict.UNDECIDED: f"neither better nor worse than {report.limit:.6g} is proven yet",
    }[verdict]
    return replace(
        report,
        verdict=verdict,
        estimate=estimate,
        low=ends[0] if finite else None,
        high=ends[1] if finite else None,
        proven_at=proven,
        last_proven_at=latest,
        p_worse=p_worse,
        reasons=(f"{report.metric} {estimate:.6g} over {state.n} blocks: {said}",),
    )


def _share(plan: DecayPlan, number: int) -> float:
    """The level of the ``number``-th start; the levels of all starts sum up to the whole."""
    return (1.0 - plan.confidence) / alpha_share(number)


def alpha_share(number: int) -> float:
    """What the p-value of the ``number``-th start is multiplied with, so that all starts together keep the level."""
    return (math.pi * number) ** 2 / 6.0


def _p_worse(state: RunningMoments, worst: float, alpha: float) -> float:
    """The p-value of "the mean is not above ``worst``", valid at any look; the dual of ``_bounds``."""
    if state.variance <= 0.0:
        return 0.0 if state.mean > worst else 1.0
    moved = replace(state, mean=state.mean - worst)
    return sequence_interval(moved, 1.0 - alpha, optimal_rows=TIGHTEST_BLOCKS).p_greater


def _bounds(state: RunningMoments, alpha: float) -> tuple[float, float]:
    found = sequence_interval(state, 1.0 - alpha, optimal_rows=TIGHTEST_BLOCKS)
    if state.n >= FEWEST_BLOCKS and state.variance <= 0.0:
        return state.mean, state.mean  # the same value in every block: nothing varies
    return found.low, found.high
