"""How messages to people are grouped, timed and worded: what an operator sets for a channel. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

FIELDS: Mapping[str, str] = {
    "model": "the model",
    "event": "the event, as policies name it (`promoted`)",
    "what": "what happened, in words",
    "sentence": "why, in one sentence",
    "decision": "the decision's number, empty if there is none",
    "link": "the address of the decision on the page",
    "at": "when it happened (UTC)",
    "times": "how often the same was said",
    "channel": "the channel",
}
"""What a template may name."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_DAY = timedelta(days=1)

WHAT: Mapping[str, str] = {
    "training": "a training begins",
    "trained": "a training is done",
    "failed": "a run failed",
    "promoted": "there is a new champion",
    "held": "a challenger waits",
    "rejected": "a challenger was rejected",
    "rolled_back": "the champion was rolled back",
    "deprecated": "a version is deprecated",
    "archived": "a version was archived",
    "approval_needed": "a challenger needs an approval",
    "quarantined": "data were quarantined",
    "schema_changed": "the schema of the data changed",
    "drifted": "the data drifted",
    "unimproving": "retraining brings nothing",
    "rules_refused": "newer rules are refused",
    "source_failed": "a data source does not answer",
    "signal_failed": "a signal cannot be decided",
    "stopped": "a model cannot be decided",
    "resumed": "a model is decided again",
    "advanced": "a challenger goes on to its next stage",
    "escalated": "a challenger waits for others now",
    "skewed": "what is served differs from what was trained on",
    "decayed": "the champion decays",
    "decay_expected": "the champion may decay, labels are still to come",
    "moved_elsewhere": "the champion was moved in the team's registry",
    "mentioned": "somebody speaks to you",
    "test": "this is a test",
}
"""What happened, in words, by event."""


OPERATORS = "operators"
"""The channel that hears of trouble where a policy names none for it."""
_TROUBLE = frozenset({"stopped", "resumed", "signal_failed", "source_failed"})


def channels_told(named: Mapping[str, tuple[str, ...]], event: str) -> tuple[str, ...]:
    """The channels that hear of ``event``; ``named`` is what a policy says, by event.

    What keeps a model from being decided is never silent: without channels of its own it goes to those of `failed`,
    without these to the operators.
    """
    told = tuple(named.get(event, ()))
    if told or event not in _TROUBLE:
        return told
    return tuple(named.get("failed", ())) or (OPERATORS,)


def what_happened(event: str) -> str:
    """The event in words."""
    return WHAT.get(event, event.replace("_", " "))


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """From ``start`` to ``end`` in a time zone (over midnight if ``end`` is earlier), on nights that begin on ``days``.

    Days are numbered from Monday = 0. The same start and end mean the whole day.
    """

    start: time
    end: time
    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(7))

    def until(self, moment: datetime) -> datetime | None:
        """When the quiet that ``moment`` falls into ends; None if it falls into none."""
        zone = ZoneInfo(self.zone)
        local = moment.astimezone(zone)
        for day in (local.date() - _DAY, local.date()):
            if day.weekday() not in self.days:
                continue
            begins = datetime.combine(day, self.start, zone)
            ends = datetime.combine(day if self.end > self.start else day + _DAY, self.end, zone)
            if begins <= local < ends:
                return ends.astimezone(moment.tzinfo)
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """The subject and one line a notice, with ``{fields}``."""

    subject: str
    line: str

    def problems(self) -> list[str]:
        """What is wrong with it, each a sentence."""
        found = []
        for name, text in (("subject", self.subject), ("line", self.line)):
            if text.count("{") != len(_FIELD.findall(text)) or text.count("}") != text.count("{"):
                found.append(f"its {name} has a brace without its partner.")
            for unknown in sorted({*_FIELD.findall(text)} - {*FIELDS}):
                near = get_close_matches(unknown, FIELDS, n=1)
                hint = f" Did you mean {{{near[0]}}}?" if near else f" There are {_listed()}."
                found.append(f"its {name} names {{{unknown}}}, which no notice has.{hint}")
        return found

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Subject and line with the fields replaced; ValueError with a sentence if it has a problem."""
        problems = self.problems()
        if problems:
            raise ValueError(problems[0])
        return _fill(self.subject, values), _fill(self.line, values)


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in FIELDS)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values[found[1]], text)


STANDARD = Template(
    subject="[incumbent] {model}: {what}", line="{model}: {what}.\nWhy: {sentence}.\n{link}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelRules:
    """How a channel is spoken to.

    ``group`` is how long the first notice waits for others; ``interval`` the least time between two messages;
    ``repeat`` for how long the same is not said again; ``give_up`` when a message that never arrives is let go.
    ``urgent`` events wait for nothing and break the quiet.
    """

    name: str
    group: timedelta = timedelta(seconds=30)
    interval: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=4)
    give_up: timedelta = timedelta(days=3)
    quiet: QuietHours | None = None
    urgent: frozenset[str] = frozenset({"rolled_back"})
    templates: Mapping[str, Template] = field(default_factory=dict)
    """By event; ``default`` for the rest."""

    def template(self, event: str) -> Template:
        """How a notice of this event is worded."""
        return self.templates.get(event) or self.templates.get("default") or STANDARD

    def send_at(self, now: datetime, last: datetime | None, *, urgent: bool) -> datetime:
        """When a message that begins to gather ``now`` leaves, the one before having left at ``last``."""
        if urgent:
            return now if last is None else max(now, last + self.group)
        due = now + self.group if last is None else max(now + self.group, last + self.interval)
        return (self.quiet.until(due) if self.quiet else None) or due
