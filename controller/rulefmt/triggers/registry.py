"""How the kinds of triggers are written, in the order of :data:`controller.policy.triggers.TRIGGERS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from controller.policy.triggers import TRIGGERS, TriggerKind
from controller.rulefmt.triggers.base import TriggerFormat
from controller.rulefmt.triggers.decay import DECAY
from controller.rulefmt.triggers.drift import DRIFT
from controller.rulefmt.triggers.new_data import NEW_DATA
from controller.rulefmt.triggers.schedule import SCHEDULE
from controller.rulefmt.triggers.skew import SKEW
from controller.rulefmt.triggers.webhook import WEBHOOK


def register(
    formats: Iterable[TriggerFormat], kinds: Mapping[str, TriggerKind[Any]]
) -> Mapping[str, TriggerFormat]:
    """A format for each of ``kinds``, in their order. ValueError where one is missing, or has no kind."""
    found = {item.kind.key: item for item in formats}
    if found.keys() != kinds.keys():
        names = ", ".join(sorted(found.keys() ^ kinds.keys()))
        raise ValueError(f"These triggers have a kind or a format, and not both: {names}.")
    return MappingProxyType({key: found[key] for key in kinds})


FORMATS = register((SCHEDULE, NEW_DATA, DRIFT, DECAY, SKEW, WEBHOOK), TRIGGERS)

EVENTS: Mapping[str, str] = MappingProxyType(
    {item.kind.signal.value: item.event for item in FORMATS.values() if item.event is not None}
)
"""Signals that a rule test sends to triggers, each with an example of its payload."""
