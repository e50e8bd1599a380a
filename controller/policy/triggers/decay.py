"""``decay``: fires when the champion has become worse, by labels that came since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from controller.domain.keys import Choice, Key
from controller.domain.metrics import is_lower_better
from controller.domain.rules import NO_MARGIN, Margin, Reference, Trigger
from controller.domain.rules.vocabulary import Count, MetricName
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.decayed import decay_figures
from controller.policy.phrase import format_number, listing
from controller.policy.triggers.base import SeriesFormat
from controller.policy.triggers.watched import Reading, WatchedKind, WatchedTrigger


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayTrigger(WatchedTrigger):
    """Fires when the champion has become worse, by labels that came since."""

    kind: ClassVar[str] = "decay"
    metric: Annotated[MetricName, Key("The metric, computed over the window's labels.", "mae")]
    worse_than: Annotated[
        Reference,
        Choice(("training", "previous", "anchor", "baseline")),
        Key(
            "What it is compared with; `training` is the champion's own value when it was promoted.",
            "previous",
        ),
    ] = Reference.TRAINING
    margin: Annotated[Margin, Key("How much worse it must be.", "10%")] = NO_MARGIN
    window: Annotated[timedelta, Key("The span of labels that is looked at.", "7d")] = timedelta(
        days=7
    )
    min_labels: Annotated[
        Count, Key("With fewer labels in the window it does not fire.", "1000")
    ] = 100
    test: Annotated[
        Literal["sequence", "adwin", "page_hinkley"],
        Key(
            "What proves it: a test of the metric by day that holds at every look, or a detector of `river` "
            "over the losses row by row (extra `streams`).",
            "page_hinkley",
        ),
    ] = "sequence"
    higher_is_better: bool | None = None
    """The direction that the policy's ``metrics`` gives; None: the one that everybody knows."""

    def directed(self, higher_is_better: Mapping[str, bool]) -> DecayTrigger:
        return replace(self, higher_is_better=higher_is_better.get(self.metric))


@dataclass(frozen=True, kw_only=True)
class DecayKind(WatchedKind[DecayTrigger]):
    """Reads finished decay runs, and decay signals that somebody sent."""

    def unseen(self, payload: Mapping[str, Any], triggers: Iterable[Trigger]) -> str | None:
        """The metrics that the policy's triggers look at are others."""
        metrics = {trigger.metric for trigger in triggers if isinstance(trigger, DecayTrigger)}
        if not metrics or payload.get("metric") in metrics:
            return None
        return f"the decay trigger looks at {listing(sorted(metrics), 'or')}"

    def reports(self, reports: tuple[Signal, ...], context: DecisionContext) -> tuple[Signal, ...]:
        """Without those that take the champion back."""
        demanded = {figure.id for figure in decay_figures(context)}
        return tuple(signal for signal in reports if signal.id not in demanded)

    def read(self, trigger: DecayTrigger, signal: Signal) -> Reading:
        return _read(trigger, signal)

    def unrecorded(
        self, trigger: DecayTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        if not found:
            return f"no {self.key} signal was recorded"
        if not any(payload.get("metric") == trigger.metric for payload in found):
            return f"decay of {trigger.metric} was not measured"
        if not isinstance(before, DecayTrigger) or (
            (before.window, before.worse_than) != (trigger.window, trigger.worse_than)
        ):
            return "decay was measured over another window or against another reference"
        return None


def _fill(payload: dict[str, Any], series: Mapping[str, Any], value: float) -> None:
    payload.update(
        metric=series["decay"],
        value=value,
        reference=float(series["reference"]),
        labels=series["labels"],
    )


DECAY = DecayKind(
    key="decay",
    example="{metric: mae, margin: 10%}",
    event="{}",
    series=SeriesFormat(fill=_fill),
    value=DecayTrigger,
    signal=SignalKind.DECAY,
    measured_by=RunKind.DECAY,
    unasked="the champion was looked at",
    lints=("fires-itself", "nobody-measures", "missing-metric-passes"),
    is_sendable=True,
)


def _read(trigger: DecayTrigger, signal: Signal) -> Reading:
    """Payload of a signal that somebody sent: ``{"metric", "value", "reference", "labels", "p_worse"?}``; of a
    finished run: ``{"readings": [a DecayReading for each trigger and condition]}``.
    """
    readings = signal.payload.get("readings")
    if not isinstance(readings, (list, tuple)):
        return _read_sent(trigger, signal)
    for held in readings:
        if held.get("asked_by") == "trigger" and held.get("name") == trigger.name:
            return _read_measured(signal, held)
    return Reading(signal, None, f"{trigger.metric} was not asked for", {})


def _read_measured(signal: Signal, held: Mapping[str, Any]) -> Reading:
    """The sequential test has been made by a worker: it is proven, refuted, or neither yet."""
    verdict = held.get("verdict")
    above = {"decayed": True, "holding": False, "undecided": False}.get(str(verdict))
    words = str(held.get("problem") or held.get("sentence") or verdict)
    names = ("value", "reference", "limit", "n", "labels", "blocks", "p_worse", "low", "high")
    values = {name: held.get(name) for name in names if held.get(name) is not None}
    return Reading(signal, above, words, values | {"verdict": verdict})


def _read_sent(trigger: DecayTrigger, signal: Signal) -> Reading:
    payload = signal.payload
    value, reference = payload.get("value"), payload.get("reference")
    labels = int(payload.get("labels") or 0)
    if payload.get("metric") != trigger.metric or value is None or reference is None:
        return Reading(signal, None, f"{trigger.metric} was not reported", {})
    if labels < trigger.min_labels:
        words = f"{labels:,} labels, at least {trigger.min_labels:,} are needed"
        return Reading(signal, None, words, {"labels": labels})
    sign = (
        1.0 if is_lower_better(trigger.metric, higher_is_better=trigger.higher_is_better) else -1.0
    )
    allowed = trigger.margin.value * (abs(reference) if trigger.margin.relative else 1.0)
    worse_by = sign * (float(value) - float(reference))
    p_worse = payload.get("p_worse")
    above = worse_by > allowed and (p_worse is None or p_worse <= 0.05)
    words = (
        f"{trigger.metric} {format_number(value)} against {format_number(reference)} "
        f"({trigger.worse_than.value}) on {labels:,} labels"
    )
    values = {
        "value": value,
        "reference": reference,
        "allowed": allowed,
        "labels": labels,
        "p_worse": p_worse,
    }
    return Reading(signal, above, words, values)
