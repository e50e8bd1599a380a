"""``webhook``: fires on an event that was delivered to the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from controller.domain.decisions import Result
from controller.domain.keys import Key
from controller.domain.rules import Trigger
from controller.domain.rules.vocabulary import EventType
from controller.domain.signals import Signal, SignalKind
from controller.policy.context import DecisionContext
from controller.policy.phrase import count
from controller.policy.triggers.base import TriggerKind, TriggerVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTrigger(Trigger):
    """Fires on an event that was delivered to the API."""

    kind: ClassVar[str] = "webhook"
    type: Annotated[
        EventType, Key("The CloudEvents type that it listens to.", "com.example.labels.ready")
    ]


@dataclass(frozen=True, kw_only=True)
class WebhookKind(TriggerKind[WebhookTrigger]):
    """One event of its type is enough."""

    def is_meant(self, signal: Signal, trigger: WebhookTrigger) -> bool:
        return bool(signal.payload.get("type") == trigger.type)

    def evaluate(
        self, context: DecisionContext, trigger: WebhookTrigger, signals: tuple[Signal, ...]
    ) -> TriggerVerdict:
        del context
        return TriggerVerdict(
            trigger=trigger.name,
            result=Result.FIRING if signals else Result.INACTIVE,
            sentence=f"{count(len(signals), 'event')} of type {trigger.type}",
            signals=signals,
            line=trigger.line or None,
        )

    def unrecorded(
        self, trigger: WebhookTrigger, before: Trigger | None, found: Sequence[Mapping[str, Any]]
    ) -> str | None:
        del before
        if any(payload.get("type") == trigger.type for payload in found):
            return None
        return f"no event of type {trigger.type} was recorded"

    def unwanted(self, signal: Signal) -> str:
        return f"no trigger of the policy waits for events of type {signal.payload.get('type')}"


WEBHOOK = WebhookKind(
    key="webhook",
    example="{type: com.example.labels.ready}",
    event="{}",
    series=None,
    value=WebhookTrigger,
    signal=SignalKind.WEBHOOK,
    lints=("fires-itself",),
    is_sendable=True,
)
