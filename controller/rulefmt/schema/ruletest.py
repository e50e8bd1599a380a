"""The reader of a rule test. Which signals it may send follows from the kinds of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from controller.domain.keys import Key
from controller.domain.rules.vocabulary import FreeName
from controller.policy.triggers import TRIGGERS
from controller.rulefmt.declared import Declarations, doc_of
from controller.rulefmt.sections import SectionReader
from controller.rulefmt.testcases import RuleTestEvent, RuleTests, SignalSeries

EVENTS: Mapping[str, str] = MappingProxyType(
    {kind.signal.value: kind.event for kind in TRIGGERS.values() if kind.event is not None}
)
"""Signals that a rule test sends to triggers, each with an example of its payload."""
SIGNALS = (
    *EVENTS,
    "manual",
    "metric",
    "quarantined",
    "schema_changed",
    "approval",
    "promote",
    "reject",
    "rollback",
    "hold",
    "release",
    "foreign_move",
)
_SENDERS = {"foreign_move": "registry:elsewhere"}
_PEOPLE = frozenset({"approval", "promote", "reject", "rollback", "hold", "release", "manual"})
_ALL = Declarations({})


def _signal(
    *, at: timedelta, line: int, by: str = "", **payloads: Mapping[str, Any]
) -> RuleTestEvent:
    """The signal of the one kind that was said; some come only from people."""
    ((kind, payload),) = payloads.items()
    person = by or ("somebody" if kind in _PEOPLE else "")
    actor = f"person:{person}" if person else _SENDERS.get(kind, "system")
    return RuleTestEvent(at=at, kind=kind, payload=payload, actor=actor, line=line)


SIGNAL = SectionReader(
    title=RuleTestEvent.section.title,
    doc=doc_of(RuleTestEvent),
    keys=(
        *_ALL.keys_of(RuleTestEvent),
        _ALL.key(Key("The person who sends it.", "ana"), "by", _ALL.reader(FreeName), None),
        *(
            _ALL.key(
                Key(f"What a signal of kind `{kind}` says.", EVENTS.get(kind, "{}")),
                kind,
                _ALL.reader(Mapping[str, Any]),
                None,
            )
            for kind in SIGNALS
        ),
    ),
    make=_signal,
    one_of=SIGNALS,
    has_line=True,
)

_TESTS = Declarations({RuleTestEvent: SIGNAL})
SERIES = _TESTS.section(SignalSeries)
RULE_TEST = _TESTS.section(RuleTests)
