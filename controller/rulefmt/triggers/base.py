"""What every kind of trigger must say of how it is written, beside its kind in :mod:`controller.policy.triggers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from controller.domain.rules import Trigger
from controller.policy.triggers import TriggerKind
from controller.rulefmt.sections import Section, Values
from controller.rulefmt.testcases import RuleTestEvent

Ways = Mapping[str, bool]
"""Directions of the team's own metrics: True where higher is better."""


class Place(TypedDict):
    """What every trigger has: its name, and the line on which it begins."""

    name: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFormat:
    """How a rule test's series of this kind becomes signals. ``fill`` writes one step's value into a payload.

    ``is_merged``: all series of the kind that have a value at one time come in one signal.
    """

    fill: Callable[[dict[str, Any], Values, float], None]
    is_merged: bool = False


def _nothing_to_say(event: RuleTestEvent, triggers: Iterable[Trigger]) -> str | None:
    del event, triggers
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFormat:
    """One kind of trigger as text. ``build`` makes the value of what was read of ``section``, defaults filled in.

    ``event`` is the example of the payload of a rule test's signal, None where the signals come by themselves.
    ``check_event`` says what such a signal shows to none of the policy's triggers of this kind; None: nothing.
    """

    kind: TriggerKind[Any]
    section: Section
    example: str
    build: Callable[[Place, Values, Ways], Trigger]
    event: str | None
    series: SeriesFormat | None
    check_event: Callable[[RuleTestEvent, Iterable[Trigger]], str | None] = _nothing_to_say
