"""What drift and skew share: the distance of two distributions of a column, as profiles report it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from controller.domain.drift import DriftMetric
from controller.domain.keys import Choice, Key, Listed, Number
from controller.domain.rules.vocabulary import ColumnName
from controller.domain.signals import Signal
from controller.policy.phrase import format_number
from controller.policy.triggers.base import SeriesFormat
from controller.policy.triggers.watched import Reading, WatchedKind, WatchedTrigger

DISTANCES = tuple(metric.value for metric in DriftMetric)
"""Distances of two profiles that a trigger may name."""
DISTANCE = Key("The distance of the two distributions of a column.", "jensen_shannon")


@dataclass(frozen=True, kw_only=True, slots=True)
class DistanceTrigger(WatchedTrigger):
    """A distance stays above a threshold. ``above`` None: from where the verdict of the column is an alert."""

    metric: Annotated[str, Choice(DISTANCES), DISTANCE] = DriftMetric.PSI.value
    above: Annotated[
        float | None,
        Number(0),
        Key(
            "The threshold.",
            "0.2",
            default_says="where the column's verdict is an alert (docs/reference/drift.md)",
        ),
    ] = None
    columns: Annotated[
        tuple[ColumnName, ...] | None,
        Listed(least=1, unique=True),
        Key(
            "The columns that are looked at; one above the threshold is enough.",
            "[distance, carrier]",
            default_says="all features",
        ),
    ] = None

    @property
    def reference_window(self) -> str:
        """What the rows are compared with."""
        return "training"


D = TypeVar("D", bound=DistanceTrigger)


@dataclass(frozen=True, kw_only=True)
class DistanceKind(WatchedKind[D]):
    """A kind that watches a distance."""

    def read(self, trigger: D, signal: Signal) -> Reading:
        return read_distance(trigger, signal)


def distance_series(key: str) -> SeriesFormat:
    """Columns that are measured at the same step come in one signal."""

    def fill(payload: dict[str, Any], series: Mapping[str, Any], value: float) -> None:
        columns = payload.setdefault("columns", {})
        columns.setdefault(series[key], {})[series["distance"]] = value

    return SeriesFormat(fill=fill, is_merged=True)


def read_distance(trigger: DistanceTrigger, signal: Signal) -> Reading:
    """Payload: ``{"columns": {column: {metric: value}}, "n": rows, "problem": sentence or null}``.

    A profile says in ``against`` the same for each reference but ``training``, and in ``judged`` what stands between
    an effect and an alarm: ``{column: {"verdict", "significant", "ceiling": {metric: value}}}``.
    """
    payload: Mapping[str, Any] = signal.payload
    reference = trigger.reference_window
    against = payload.get("against")
    if isinstance(against, Mapping) and reference != "training":
        payload = against.get(reference) or {"problem": f"nothing was compared with {reference}"}
    problem = payload.get("problem")
    columns: Mapping[str, Any] = payload.get("columns") or {}
    judged: Mapping[str, Any] = payload.get("judged") or {}
    wanted = trigger.columns or tuple(columns)
    values = {
        name: columns[name].get(trigger.metric)
        for name in wanted
        if isinstance(columns.get(name), Mapping) and columns[name].get(trigger.metric) is not None
    }
    if problem or not values:
        words = str(problem or f"{trigger.metric} was not reported for {', '.join(wanted)}")
        return Reading(signal, None, words, {"problem": words})
    alarms = {name: _alarm(trigger, values[name], judged.get(name) or {}) for name in values}
    worst = max(values, key=lambda name: (alarms[name][0], values[name]))
    above, why = alarms[worst]
    words = f"{trigger.metric} of {worst} is {format_number(values[worst])}, {why}"
    found: dict[str, Any] = {"values": values, "above": trigger.above}
    if payload.get("n") is not None:
        found["rows"] = payload["n"]
    if reference != "training":
        found["reference"] = reference
    return Reading(signal, above, words, found)


def _alarm(trigger: DistanceTrigger, value: float, judged: Mapping[str, Any]) -> tuple[bool, str]:
    """Effect, then significance, then history; and how a sentence says what was missing first."""
    if trigger.above is None:
        alert = judged.get("verdict") == "alert"
        return alert, "an alert" if alert else "no alert"
    if value <= trigger.above:
        return False, f"not above {format_number(trigger.above)}"
    over = f"above {format_number(trigger.above)}"
    if judged.get("significant") is False:
        return False, f"{over}, and chance may do that"
    ceiling = (judged.get("ceiling") or {}).get(trigger.metric)
    if ceiling is not None and value <= ceiling:
        return False, f"{over}, and within its history (up to {format_number(ceiling)})"
    return True, over


def unmeasured(trigger: DistanceTrigger, found: Iterable[Mapping[str, Any]]) -> str | None:
    """What ``plan`` misses in the recorded payloads: a reading at all, or the metric of a column."""
    readings = [p["columns"] for p in found if isinstance(p.get("columns"), dict)]
    if not readings:
        return f"no {trigger.kind} reading was recorded"
    columns = trigger.columns or tuple({name for reading in readings for name in reading})
    lacking = [
        name
        for name in columns
        if not any(
            isinstance(reading.get(name), dict) and reading[name].get(trigger.metric) is not None
            for reading in readings
        )
    ]
    if lacking:
        return f"{trigger.metric} of {', '.join(lacking)} was not measured"
    return None
