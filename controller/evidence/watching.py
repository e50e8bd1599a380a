"""Answers the policy's questions about its champion: labels that came since, held against its record.

``answer`` never raises for data that do not suffice: a :class:`DecayReading` without a verdict says why. What was
estimated before labels came is kept apart (``estimates``), because it may alert and never acts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.domain.canonical import to_plain
from controller.domain.decay import DecayReading, DecayVerdict, MetricPoint, MetricWatch
from controller.domain.errors import ConfigurationError
from controller.domain.metrics import Metric, find_metric, unknown_metric_sentence
from controller.evidence.decay import DecayPlan, LabelledRows, judge_decay, metrics_by_window
from controller.evidence.estimates import estimate_classifier, estimate_regressor
from controller.evidence.inputs import RawRows, Unusable, prepare_inputs
from controller.evidence.losses import row_loss
from controller.evidence.scored import Scored, ScoredSide, constant_guess
from controller.evidence.scores import score
from controller.evidence.streams import Detector, stream_alarms

BLOCKS_A_WINDOW = 7
SHORTEST_BLOCK = timedelta(hours=1)
LONGEST_BLOCK = timedelta(days=1)
MOST_STREAMED = 200_000
"""Rows that a detector is fed at most, the newest: it goes through them one by one."""


@dataclass(frozen=True, kw_only=True)
class RowsSince:
    """Rows since the champion was judged. ``sides`` by role, a prediction a row; ``labelled`` says which have a label
    that is due. ``record`` is its evaluation; ``slices`` a column of values by name.
    """

    truth: npt.NDArray[Any]
    times: npt.NDArray[Any]
    labelled: npt.NDArray[np.bool_]
    sides: Mapping[str, ScoredSide]
    record: Scored
    version: int
    slices: Mapping[str, npt.NDArray[Any]]


def answer_watch(since: RowsSince, watch: MetricWatch) -> DecayReading:
    """The champion's metric against its reference, tested so that it may be looked at every day."""
    blank = DecayReading(
        name=watch.name,
        asked_by=watch.asked_by,
        metric=watch.metric,
        version=since.version,
        worse_than=watch.worse_than,
        test=watch.test,
        verdict=DecayVerdict.NOT_ENOUGH_DATA,
    )
    try:
        return _answer(since, watch, blank)
    except (Unusable, ConfigurationError) as error:
        return replace(blank, problem=error.sentence().rstrip("."))


def _answer(since: RowsSince, watch: MetricWatch, blank: DecayReading) -> DecayReading:
    metric = _metric(watch.metric)
    rows = _rows(since, metric, "champion")
    labels = len(rows.truth)
    if labels == 0:
        return replace(blank, problem="no label has come since it was judged")
    window = rows.times > rows.times.max() - np.timedelta64(int(watch.window * 1e6), "us")
    n = int(window.sum())
    value = _score(watch.metric, rows, window)
    against = _against(since, watch, metric)
    reference = _reference(since, watch, metric, window)
    if value is None or reference is None:
        return replace(
            blank, problem=f"{watch.metric} is undefined on these rows", n=n, labels=labels
        )
    plan = _plan(watch, reference)
    limit = plan.limit(metric)
    found = replace(blank, value=value, reference=reference, limit=limit, n=n, labels=labels)
    if n < watch.min_labels:
        problem = f"{n:,} labels in the window, at least {watch.min_labels:,} are needed"
        return replace(found, problem=problem)
    if watch.test != "sequence":
        return _streamed(since, watch, metric, found)
    return _sequential(rows, plan, against, found)


def _plan(watch: MetricWatch, reference: float) -> DecayPlan:
    window = timedelta(seconds=watch.window)
    return DecayPlan(
        metric=watch.metric,
        reference=reference,
        margin=watch.margin,
        relative=watch.relative,
        window=window,
        block=min(max(window / BLOCKS_A_WINDOW, SHORTEST_BLOCK), LONGEST_BLOCK),
        min_labels=watch.min_labels,
        confidence=watch.confidence,
    )


def _sequential(
    rows: LabelledRows, plan: DecayPlan, against: Any, found: DecayReading
) -> DecayReading:
    report = judge_decay(replace(rows, slices=None), plan, against)
    newest = datetime.fromtimestamp(
        rows.times.max().astype("datetime64[us]").astype(int) / 1e6, UTC
    )
    stale = report.last_proven_at is not None and report.last_proven_at <= newest - plan.window
    verdict = report.verdict
    if verdict is DecayVerdict.DECAYED and stale:
        verdict = DecayVerdict.UNDECIDED  # it was, and the newest window no longer shows it
    said = _said(found)
    enough = report.blocks and report.p_worse is not None
    tail = f"; p {report.p_worse:.2g} over {report.blocks} blocks" if enough else ""
    return replace(
        found,
        verdict=verdict,
        blocks=report.blocks,
        p_worse=report.p_worse,
        low=report.low,
        high=report.high,
        proven_at=report.proven_at,
        sentence=f"{said}: {_verdict_words(verdict)}{tail}",
        problem="; ".join(report.reasons) if verdict.lacks_data else "",
    )


_SETTINGS: Mapping[Detector, Mapping[str, str]] = {
    Detector.ADWIN: {},
    Detector.PAGE_HINKLEY: {"mode": "up"},
}


def _said(found: DecayReading) -> str:
    return (
        f"{found.metric} {found.value:.4g} on {found.n:,} labels, {found.reference:.4g} "
        f"({found.worse_than}), at most {found.limit:.4g} is allowed"
        if found.limit is not None and found.value is not None and found.reference is not None
        else found.metric
    )


def _verdict_words(verdict: DecayVerdict) -> str:
    return {
        DecayVerdict.DECAYED: "worse is proven",
        DecayVerdict.HOLDING: "it holds",
        DecayVerdict.UNDECIDED: "neither is proven",
        DecayVerdict.NOT_ENOUGH_DATA: "not enough data",
    }[verdict]


# --- references -----------------------------------------------------------------------------------------------


def _reference(
    since: RowsSince, watch: MetricWatch, metric: Metric, window: npt.NDArray[np.bool_]
) -> float | None:
    if watch.worse_than == "training":
        record = since.record
        found = score(
            watch.metric,
            record.y,
            answers_of(record.sides["challenger"], metric),
            classes=record.sides["challenger"].classes,
        )
        return found if math.isfinite(found) else None
    return _score(watch.metric, _rows(since, metric, watch.worse_than), window)


def _against(since: RowsSince, watch: MetricWatch, metric: Metric) -> Any:
    """The other's predictions of the labelled rows; None where the reference is a number."""
    if watch.worse_than == "training":
        return None
    return _rows(since, metric, watch.worse_than).prediction


def _rows(since: RowsSince, metric: Metric, role: str) -> LabelledRows:
    side = _side(since, role, metric)
    prediction = answers_of(side, metric)
    return LabelledRows(
        truth=since.truth[since.labelled],
        prediction=prediction[since.labelled],
        times=since.times[since.labelled],
        classes=side.classes,
    )


def _side(since: RowsSince, role: str, metric: Metric) -> ScoredSide:
    if role == "baseline":
        return constant_guess(since.record, metric, len(since.truth))
    side = since.sides.get(role)
    if side is None:
        raise Unusable(f"there is no {role} version to compare with.")
    if side.problem:
        raise Unusable(f"{side.name}: {side.problem}.")
    return side


def answers_of(side: ScoredSide, metric: Metric) -> npt.NDArray[Any]:
    """What the metric reads of a version's answers.

    Raises:
        Unusable: it needs probabilities, and there are none.
    """
    found = side.probabilities if metric.prediction.graded else side.values
    if found is None:
        raise Unusable(f"{metric.name} needs probabilities, and {side.name} gave none.")
    return np.asarray(found)


def _score(name: str, rows: LabelledRows, chosen: npt.NDArray[np.bool_]) -> float | None:
    found = score(name, rows.truth[chosen], rows.prediction[chosen], classes=rows.classes)
    return found if math.isfinite(found) else None


def _metric(name: str) -> Metric:
    metric = find_metric(name)
    if metric is None:
        raise Unusable(unknown_metric_sentence(name))
    return metric


# --- streams --------------------------------------------------------------------------------------------------


def _streamed(
    since: RowsSince, watch: MetricWatch, metric: Metric, found: DecayReading
) -> DecayReading:
    """A detector over the losses: those of its evaluation first, then those that came. It must rise, and beyond the
    margin.
    """
    before = _losses(since.record.y, since.record.sides["challenger"], metric)
    side = _side(since, "champion", metric)
    order = np.argsort(since.times[since.labelled], kind="stable")
    now = _losses(since.truth, side, metric, since.labelled)[order]
    losses = np.concatenate([before, now])[-MOST_STREAMED:]
    fresh_from = max(losses.size - now.size, 0)
    up = _SETTINGS[Detector(watch.test)]
    alarms = [
        alarm
        for alarm in stream_alarms(losses.tolist(), watch.test, **up)  # type: ignore[arg-type]
        if alarm.at >= fresh_from
        and (alarm.mean_after is None or alarm.mean_after > alarm.mean_before)
    ]
    sign = 1.0 if metric.lower_is_better else -1.0
    worse = sign * (found.value or 0.0) > sign * (found.limit or 0.0)
    verdict = DecayVerdict.DECAYED if alarms and worse else DecayVerdict.UNDECIDED
    words = f"{watch.test} saw {len(alarms)} {'rise' if len(alarms) == 1 else 'rises'} of the loss"
    tail = "" if worse or not alarms else ", within the margin"
    return replace(found, verdict=verdict, sentence=f"{_said(found)}: {words}{tail}")


def _losses(
    truth: npt.NDArray[Any],
    side: ScoredSide,
    metric: Metric,
    chosen: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float64]:
    function = row_loss(metric)
    if function is None:
        raise Unusable(f"{metric.name} is no mean of row losses, and a detector reads these.")
    kept = np.ones(len(truth), dtype=bool) if chosen is None else chosen
    raw = RawRows(
        y_true=truth[kept], challenger=answers_of(side, metric)[kept], classes=side.classes
    )
    rows = prepare_inputs(metric, raw)
    sign = 1.0 if metric.lower_is_better else -1.0
    return np.asarray(sign * function(rows.y, rows.challenger), dtype=np.float64)


# --- by time and slice, and before labels come ----------------------------------------------------------------


def metric_history(
    since: RowsSince, watches: Sequence[MetricWatch]
) -> dict[str, dict[str, tuple[MetricPoint, ...]]]:
    """Each metric of the watches by day, by window, and by window and slice, with its labels; what cannot be computed
    is left out.
    """
    found: dict[str, dict[str, tuple[MetricPoint, ...]]] = {}
    for watch in watches:
        try:
            metric = _metric(watch.metric)
            rows = _rows(since, metric, "champion")
            if not len(rows.truth):
                continue
            window = timedelta(seconds=watch.window)
            by = found.setdefault(watch.metric, {})
            by["days"] = metrics_by_window(watch.metric, rows, timedelta(days=1))
            by["windows"] = metrics_by_window(watch.metric, rows, window)
            for name, values in since.slices.items():
                sliced = replace(rows, slices=values[since.labelled])
                points = metrics_by_window(watch.metric, sliced, window)
                by[f"windows by {name}"] = tuple(p for p in points if p.slice is not None)
        except Unusable:
            continue
    return found


def estimates(since: RowsSince, watches: Sequence[MetricWatch]) -> list[dict[str, Any]]:
    """What the metrics will be on the rows whose labels have not come, with whether that is beyond the limit."""
    waiting = ~since.labelled
    found = []
    for watch in {w.metric: w for w in watches if w.worse_than == "training"}.values():
        try:
            metric = _metric(watch.metric)
            reference = _reference(since, watch, metric, np.zeros(0, dtype=bool))
            estimate = _estimate(since, metric, waiting)
        except Unusable as error:
            found.append(
                {"metric": watch.metric, "problem": error.sentence().rstrip("."), "worse": False}
            )
            continue
        if reference is None:
            continue
        limit = _plan(watch, reference).limit(metric)
        worse = estimate.low > limit if metric.lower_is_better else estimate.high < limit
        plain = to_plain(estimate)
        found.append({**plain, "reference": reference, "limit": limit, "worse": bool(worse)})
    return found


def _estimate(since: RowsSince, metric: Metric, waiting: npt.NDArray[np.bool_]) -> Any:
    record, side = since.record.sides["challenger"], since.sides["champion"]
    if record.probabilities is not None and side.probabilities is not None:
        classes = record.classes or ()
        if len(classes) != 2:
            raise Unusable("the estimate before labels is for two classes.")
        truth = (since.record.y == classes[1]).astype(float)
        return estimate_classifier(
            metric.name, truth, record.probabilities[:, 1], side.probabilities[waiting, 1]
        )
    if record.values is None or record.values.dtype.kind not in "fiu" or side.values is None:
        raise Unusable(f"{metric.name} cannot be estimated without probabilities.")
    before = (since.record.y, record.values, record.values)
    return estimate_regressor(metric.name, before, side.values[waiting])
