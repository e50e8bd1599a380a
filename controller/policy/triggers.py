"""Triggers: what each one makes of the signals that wait for it. Inactive, pending or firing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.metrics import is_lower_better
from controller.domain.rules import (
    DecayTrigger,
    DriftTrigger,
    NewDataTrigger,
    ScheduleTrigger,
    SkewTrigger,
    Trigger,
    WebhookTrigger,
)
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.decayed import decay_figures
from controller.policy.phrase import count, format_duration, format_number, format_time_utc
from controller.policy.reasons.profile import finished

MANUAL = "manual"
"""The trigger that every policy has: a person asks for a training."""


_MEASURED: Mapping[str, RunKind] = {
    "drift": RunKind.PROFILE,
    "decay": RunKind.DECAY,
    "skew": RunKind.SKEW,
}
"""Whose finished runs a trigger reads, beside the signals of its own kind that somebody sent."""

_ALSO: Mapping[str, tuple[SignalKind, ...]] = {"new_data": (SignalKind.RELEASE_BATCH,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerVerdict:
    """One trigger's state, the signals that made it so, and those that it is done with.

    ``spent`` are signals that can no longer make it fire, with the reason they are told.
    """

    trigger: str
    result: Result
    sentence: str
    signals: tuple[Signal, ...] = ()
    spent: tuple[Signal, ...] = ()
    values: Mapping[str, Any] | None = None
    line: int | None = None
    wake_at: datetime | None = None

    @property
    def node(self) -> Outcome:
        """The trigger as a node of the outcome tree."""
        return Outcome(
            name=self.trigger,
            result=self.result,
            sentence=self.sentence,
            values=self.values or {},
            line=self.line,
        )


def judge_triggers(context: DecisionContext) -> tuple[TriggerVerdict, ...]:
    """Every trigger of the policy in its order, then ``manual``."""
    verdicts = [judge_trigger(context, trigger) for trigger in context.policy.triggers]
    asked = context.signals(SignalKind.MANUAL)
    if asked:
        who = ", ".join(sorted({signal.actor for signal in asked}))
        verdicts.append(
            TriggerVerdict(
                trigger=MANUAL, result=Result.FIRING, sentence=f"asked for by {who}", signals=asked
            )
        )
    return tuple(verdicts)


def judge_trigger(context: DecisionContext, trigger: Trigger) -> TriggerVerdict:
    """One trigger against the signals that are meant for it."""
    told = context.signals(SignalKind(trigger.kind), *_ALSO.get(trigger.kind, ()))
    measured = finished(context, _MEASURED[trigger.kind]) if trigger.kind in _MEASURED else ()
    if trigger.kind == "decay":
        demanded = {figure.id for figure in decay_figures(context)}
        measured = tuple(signal for signal in measured if signal.id not in demanded)
    told = tuple(sorted((*told, *measured), key=lambda signal: signal.id))
    signals = tuple(s for s in told if _meant(s, trigger))
    if isinstance(trigger, NewDataTrigger):
        return _new_data(trigger, signals)
    if isinstance(trigger, ScheduleTrigger):
        return _schedule(trigger, signals)
    if isinstance(trigger, WebhookTrigger):
        return _webhook(trigger, signals)
    return _watched(context, trigger, signals)


def _meant(signal: Signal, trigger: Trigger) -> bool:
    if isinstance(trigger, WebhookTrigger):
        return signal.payload.get("type") == trigger.type
    return signal.trigger is None or signal.trigger == trigger.name


def _new_data(trigger: NewDataTrigger, signals: tuple[Signal, ...]) -> TriggerVerdict:
    rows = sum(int(s.payload.get("rows") or 0) for s in signals)
    files = sum(int(s.payload.get("files") or 1) for s in signals)
    have, want, noun = (
        (rows, trigger.rows, "row") if trigger.rows is not None else (files, trigger.files, "file")
    )
    want = want or 1
    if have >= want:
        result, words = Result.FIRING, f"{count(have, f'new {noun}')}, {want:,} needed"
    elif signals:
        result, words = Result.PENDING, f"{have:,} of {want:,} new {noun}s"
    else:
        result, words = Result.INACTIVE, "no new data"
    return TriggerVerdict(
        trigger=trigger.name,
        result=result,
        sentence=words,
        signals=signals,
        values={"have": have, "need": want, "unit": noun},
        line=trigger.line or None,
    )


def _schedule(trigger: ScheduleTrigger, signals: tuple[Signal, ...]) -> TriggerVerdict:
    due = [str(s.payload.get("due", "")) for s in signals]
    sentence = f"due at {due[-1]}" if due else "not due"
    return TriggerVerdict(
        trigger=trigger.name,
        result=Result.FIRING if signals else Result.INACTIVE,
        sentence=sentence,
        signals=signals,
        values={"due": due},
        line=trigger.line or None,
    )


def _webhook(trigger: WebhookTrigger, signals: tuple[Signal, ...]) -> TriggerVerdict:
    return TriggerVerdict(
        trigger=trigger.name,
        result=Result.FIRING if signals else Result.INACTIVE,
        sentence=f"{count(len(signals), 'event')} of type {trigger.type}",
        signals=signals,
        line=trigger.line or None,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one signal says about a watched value; ``above`` is None where it says nothing."""

    signal: Signal
    above: bool | None
    words: str
    values: Mapping[str, Any]


def _watched(
    context: DecisionContext,
    trigger: DriftTrigger | DecayTrigger | SkewTrigger,
    signals: tuple[Signal, ...],
) -> TriggerVerdict:
    """``for`` and ``keep_firing_for`` as Prometheus means them, over the readings in order."""
    readings = [_read(trigger, signal) for signal in signals]
    if not readings:
        return _state(trigger, Result.INACTIVE, "no reading yet", ())
    fired = context.snapshot.last_fired.get(trigger.name)
    if fired is not None and trigger.keep_firing_for is not None:
        until = fired + trigger.keep_firing_for
        if context.now < until:
            words = f"still the alarm of {format_time_utc(fired)}, which lasts until {format_time_utc(until)}"
            return _state(trigger, Result.FIRING, words, (), spent=signals)
    newest = readings[-1]
    if trigger.of_batches:
        return _of_the_last(trigger, readings)
    streak = _streak(readings)
    spent = tuple(r.signal for r in readings if r not in streak)
    if not streak:
        return _state(trigger, Result.INACTIVE, newest.words, (), spent=spent, reading=newest)
    lasted = context.now - streak[0].signal.occurred_at
    needed = trigger.for_duration or timedelta(0)
    held = tuple(r.signal for r in streak)
    if len(streak) < trigger.for_batches:
        words = f"{newest.words}; {len(streak)} of {trigger.for_batches} batches in a row"
        return _state(trigger, Result.PENDING, words, held, spent=spent, reading=newest)
    if lasted < needed:
        wake = streak[0].signal.occurred_at + needed
        words = (
            f"{newest.words} since {format_time_utc(streak[0].signal.occurred_at)}, "
            f"must hold for {format_duration(needed)}"
        )
        pending = _state(trigger, Result.PENDING, words, held, spent=spent, reading=newest)
        return replace(pending, wake_at=wake)
    return _state(trigger, Result.FIRING, newest.words, held, spent=spent, reading=newest)


def _of_the_last(
    trigger: DriftTrigger | DecayTrigger | SkewTrigger, readings: Sequence[_Reading]
) -> TriggerVerdict:
    """``2 of 3 batches``: one calm batch between two that moved does not hide them."""
    spoken = [reading for reading in readings if reading.above is not None]
    last = spoken[-trigger.of_batches :]
    # What lies before the oldest one above can no longer count.
    first = next((at for at, reading in enumerate(last) if reading.above), len(last))
    held = last[first:]
    spent = tuple(r.signal for r in readings if r not in held)
    newest = readings[-1]
    above = [reading for reading in held if reading.above]
    kept = tuple(reading.signal for reading in held)
    if not above:
        return _state(trigger, Result.INACTIVE, newest.words, (), spent=spent, reading=newest)
    words = f"{above[-1].words}; {len(above)} of {trigger.for_batches} batches"
    if trigger.of_batches > trigger.for_batches:
        words += f" among the last {trigger.of_batches}"
    if len(above) < trigger.for_batches:
        return _state(trigger, Result.PENDING, words, kept, spent=spent, reading=above[-1])
    return _state(trigger, Result.FIRING, words, kept, spent=spent, reading=above[-1])


def _streak(readings: Sequence[_Reading]) -> list[_Reading]:
    """The newest readings above the threshold without one below between; silent ones don't break it."""
    streak: list[_Reading] = []
    for reading in reversed(readings):
        if reading.above is False:
            break
        if reading.above:
            streak.append(reading)
    return streak[::-1]


def _state(
    trigger: DriftTrigger | DecayTrigger | SkewTrigger,
    result: Result,
    sentence: str,
    signals: tuple[Signal, ...],
    *,
    spent: tuple[Signal, ...] = (),
    reading: _Reading | None = None,
) -> TriggerVerdict:
    return TriggerVerdict(
        trigger=trigger.name,
        result=result,
        sentence=sentence,
        signals=signals,
        spent=spent,
        values=reading.values if reading else None,
        line=trigger.line or None,
    )


def _read(trigger: DriftTrigger | DecayTrigger | SkewTrigger, signal: Signal) -> _Reading:
    if isinstance(trigger, DecayTrigger):
        return _read_decay(trigger, signal)
    return _read_distance(trigger, signal)


def _read_distance(trigger: DriftTrigger | SkewTrigger, signal: Signal) -> _Reading:
    """Payload: ``{"columns": {column: {metric: value}}, "n": rows, "problem": sentence or null}``.

    A profile says in ``against`` the same for each reference but ``training``, and in ``judged`` what stands between
    an effect and an alarm: ``{column: {"verdict", "significant", "ceiling": {metric: value}}}``.
    """
    payload: Mapping[str, Any] = signal.payload
    reference = getattr(trigger, "reference", "training")
    against = payload.get("against")
    if isinstance(against, Mapping) and reference != "training":
        payload = against.get(reference) or {"problem": f"nothing was held against {reference}"}
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
        return _Reading(signal, None, words, {"problem": words})
    alarms = {name: _alarm(trigger, values[name], judged.get(name) or {}) for name in values}
    worst = max(values, key=lambda name: (alarms[name][0], values[name]))
    above, why = alarms[worst]
    words = f"{trigger.metric} of {worst} is {format_number(values[worst])}, {why}"
    found: dict[str, Any] = {"values": values, "above": trigger.above}
    if payload.get("n") is not None:
        found["rows"] = payload["n"]
    if reference != "training":
        found["reference"] = reference
    return _Reading(signal, above, words, found)


def _alarm(
    trigger: DriftTrigger | SkewTrigger, value: float, judged: Mapping[str, Any]
) -> tuple[bool, str]:
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


def _read_decay(trigger: DecayTrigger, signal: Signal) -> _Reading:
    """Payload of a signal that somebody sent: ``{"metric", "value", "reference", "labels", "p_worse"?}``; of a
    finished run: ``{"readings": [a DecayReading for each trigger and condition]}``.
    """
    readings = signal.payload.get("readings")
    if not isinstance(readings, (list, tuple)):
        return _read_sent(trigger, signal)
    for held in readings:
        if held.get("asked_by") == "trigger" and held.get("name") == trigger.name:
            return _read_measured(signal, held)
    return _Reading(signal, None, f"{trigger.metric} was not asked for", {})


def _read_measured(signal: Signal, held: Mapping[str, Any]) -> _Reading:
    """The sequential test has been made by a worker: it is proven, refuted, or neither yet."""
    verdict = held.get("verdict")
    above = {"decayed": True, "holding": False, "undecided": False}.get(str(verdict))
    words = str(held.get("problem") or held.get("sentence") or verdict)
    names = ("value", "reference", "limit", "n", "labels", "blocks", "p_worse", "low", "high")
    values = {name: held.get(name) for name in names if held.get(name) is not None}
    return _Reading(signal, above, words, values | {"verdict": verdict})


def _read_sent(trigger: DecayTrigger, signal: Signal) -> _Reading:
    payload = signal.payload
    value, reference = payload.get("value"), payload.get("reference")
    labels = int(payload.get("labels") or 0)
    if payload.get("metric") != trigger.metric or value is None or reference is None:
        return _Reading(signal, None, f"{trigger.metric} was not reported", {})
    if labels < trigger.min_labels:
        words = f"{labels:,} labels, at least {trigger.min_labels:,} are needed"
        return _Reading(signal, None, words, {"labels": labels})
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
    return _Reading(signal, above, words, values)
