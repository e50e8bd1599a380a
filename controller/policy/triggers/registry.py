"""The kinds of triggers, in the order of their documentation, and what is asked of them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from controller.domain.decisions import Result
from controller.domain.rules import Trigger
from controller.domain.runs import RunKind
from controller.domain.signals import TRAINING_CAUSES, Signal, SignalKind
from controller.policy.context import DecisionContext, finished
from controller.policy.triggers.base import TriggerKind, TriggerVerdict, nobody_waits
from controller.policy.triggers.decay import DECAY
from controller.policy.triggers.drift import DRIFT
from controller.policy.triggers.new_data import NEW_DATA
from controller.policy.triggers.schedule import SCHEDULE
from controller.policy.triggers.skew import SKEW
from controller.policy.triggers.watched import WatchedKind
from controller.policy.triggers.webhook import WEBHOOK

MANUAL = "manual"
"""The trigger that every policy has: a person asks for a training."""


def register(kinds: Iterable[TriggerKind[Any]]) -> Mapping[str, TriggerKind[Any]]:
    """The kinds by their keys, in order. ValueError for two of one key, or one that contradicts itself."""
    found: dict[str, TriggerKind[Any]] = {}
    for kind in kinds:
        if kind.key in found:
            raise ValueError(f"Two kinds of triggers have the key {kind.key!r}.")
        if kind.value.kind != kind.key:
            raise ValueError(f"{kind.value.__name__}.kind is not {kind.key!r}, its kind's key.")
        if not {kind.signal, *kind.also} <= TRAINING_CAUSES:
            raise ValueError(f"A signal of {kind.key!r} is not among the causes of a training.")
        if (kind.measured_by is None) != (not kind.unasked):
            raise ValueError(f"{kind.key!r} must say what a report is told that nobody asked for.")
        found[kind.key] = kind
    return MappingProxyType(found)


TRIGGERS = register((SCHEDULE, NEW_DATA, DRIFT, DECAY, SKEW, WEBHOOK))

WATCHED_SIGNALS = tuple(kind.signal for kind in TRIGGERS.values() if isinstance(kind, WatchedKind))
"""Signals that say what was measured about data and labels."""

_FED_BY = {kind.signal: kind for kind in reversed([*TRIGGERS.values()])}
"""Of two kinds that one signal feeds, the first answers for it."""


def kind_of(trigger: Trigger) -> TriggerKind[Any]:
    """The kind of a policy's trigger."""
    return TRIGGERS[trigger.kind]


def measured_kinds() -> Mapping[RunKind, TriggerKind[Any]]:
    """The runs whose reports may make a trigger fire, each with the kind of trigger that reads them."""
    return {kind.measured_by: kind for kind in TRIGGERS.values() if kind.measured_by is not None}


def measures(context: DecisionContext, run: RunKind) -> bool:
    """Whether a trigger of the policy reads the reports of such runs."""
    return any(kind_of(trigger).measured_by is run for trigger in context.policy.triggers)


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
    kind = kind_of(trigger)
    sent = context.signals(kind.signal, *kind.also)
    reports = finished(context, kind.measured_by) if kind.measured_by is not None else ()
    read = sorted((*sent, *kind.reports(reports, context)), key=lambda signal: signal.id)
    signals = tuple(signal for signal in read if kind.is_meant(signal, trigger))
    return kind.evaluate(context, trigger, signals)


def unwanted(signal: Signal) -> str:
    """What a signal is told that no trigger of the policy waits for."""
    if signal.kind is SignalKind.RUN_FINISHED:
        reader = measured_kinds().get(RunKind(str(signal.payload.get("kind"))))
        return reader.unasked if reader is not None else "nobody waits for it"
    kind = _FED_BY.get(signal.kind)
    return kind.unwanted(signal) if kind is not None else nobody_waits(signal)
