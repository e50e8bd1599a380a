"""Typed payloads: what a signal may say, checked where it is put into the inbox, whatever door it came through.

The stores ask :func:`check_signal` for each signal that they append, so that no door can forget it; what is refused
is not kept. A record that was kept before is never checked again: chains and golden decisions keep their form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controller.domain.errors import UserError
from controller.domain.names import check_model_name
from controller.domain.payloads.bounds import check_bounds
from controller.domain.payloads.fields import (
    EXACT,
    INTEGER,
    InvalidPayload,
    Moment,
    found,
    is_in_range,
    is_measured,
    refuse,
)
from controller.domain.payloads.kinds import DECLARATIONS
from controller.domain.signals import NewSignal, SignalKind

__all__ = [
    "EXACT",
    "INTEGER",
    "InvalidPayload",
    "check_payload",
    "check_signal",
    "check_signals",
    "is_in_range",
    "is_measured",
    "storable_text",
]

LONGEST_KEY: Final = 2_000
"""Bytes of an idempotency key: a unique index takes no more than a third of a page."""
LONGEST_TRIGGER: Final = 200
LONGEST_REASON: Final = 20_000


def check_payload(kind: SignalKind, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """``payload`` as it is, if a signal of ``kind`` may say it; InvalidPayload with the field's name otherwise."""
    declaration = DECLARATIONS[kind]
    check_bounds(payload, declaration.bounds)
    declaration.shape.check(payload, "payload")
    return payload


def check_signal(signal: NewSignal) -> NewSignal:
    """``signal`` as it is, if it may be kept; InvalidPayload with the field's name otherwise."""
    try:
        check_model_name(signal.model)
    except UserError as error:
        raise InvalidPayload(
            "model", f"is {found(signal.model)}, and no model can be called so", hint=error.hint
        ) from None
    if len(signal.key.encode("utf-8", "replace")) > LONGEST_KEY:
        raise InvalidPayload("key", f"has more than {LONGEST_KEY:,} bytes")
    if len(signal.actor) > LONGEST_KEY:
        raise InvalidPayload("actor", f"has more than {LONGEST_KEY:,} characters")
    if signal.trigger is not None and len(signal.trigger) > LONGEST_TRIGGER:
        raise InvalidPayload("trigger", f"has more than {LONGEST_TRIGGER:,} characters")
    if not is_in_range(signal.occurred_at):
        raise refuse(str(signal.occurred_at), "occurred_at", Moment().expected)
    check_payload(signal.kind, signal.payload)
    return signal


def check_signals(signals: Sequence[NewSignal]) -> Sequence[NewSignal]:
    """All of them, or the error of the first that may not be kept."""
    for signal in signals:
        check_signal(signal)
    return signals


def storable_text(text: str, longest: int = LONGEST_REASON) -> str:
    """What a run said at its end, as a payload may hold it: its end must not be lost for its words."""
    whole = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return whole if len(whole) <= longest else f"{whole[: longest - 2]} …"
