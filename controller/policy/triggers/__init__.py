"""Triggers: one file a kind. The registry is the only place that knows which kinds there are."""

from __future__ import annotations

from controller.policy.triggers.base import TriggerKind, TriggerVerdict
from controller.policy.triggers.decay import DecayTrigger
from controller.policy.triggers.drift import DriftTrigger
from controller.policy.triggers.new_data import NewDataTrigger
from controller.policy.triggers.registry import (
    TRIGGERS,
    WATCHED_SIGNALS,
    judge_trigger,
    judge_triggers,
    kind_of,
    measured_kinds,
)
from controller.policy.triggers.schedule import ScheduleTrigger, schedules
from controller.policy.triggers.skew import SkewTrigger
from controller.policy.triggers.webhook import WebhookTrigger

__all__ = [
    "TRIGGERS",
    "WATCHED_SIGNALS",
    "DecayTrigger",
    "DriftTrigger",
    "NewDataTrigger",
    "ScheduleTrigger",
    "SkewTrigger",
    "TriggerKind",
    "TriggerVerdict",
    "WebhookTrigger",
    "judge_trigger",
    "judge_triggers",
    "kind_of",
    "measured_kinds",
    "schedules",
]
