"""From a row of the delivery log to a message: what happened, why in one sentence, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from controller.domain.canonical import format_time
from controller.domain.notices import STANDARD, ChannelRules, Template, what_happened
from controller.ports import Delivery, Message, Notice
from controller.service.messages.gather import OTHERS

Link = Callable[[str, datetime], str]
"""From a path of the page to an address that opens it."""

_SUBJECT = 200
_TALLIED = 10


def render(delivery: Delivery, rules: ChannelRules, link: Link, now: datetime) -> Message:
    """The message of a row. A template that cannot be used makes way for the standard one, and says so."""
    lines: list[str] = []
    mistakes: list[str] = []
    subject = ""
    for notice in delivery.notices:
        template = rules.template(notice.event)
        values = _values(notice, delivery.channel, link(path_of(notice), now))
        try:
            subject, line = template.filled(values)
        except ValueError as mistake:
            subject, line = STANDARD.filled(values)
            mistakes.append(_mistake(rules, template, notice.event, str(mistake)))
        lines.append(line + (f"\n(said {notice.times} times)" if notice.times > 1 else ""))
    if len(delivery.notices) > 1 or delivery.count > 1:
        subject = _group_subject(delivery)
    left = delivery.count - sum(notice.times for notice in delivery.notices)
    if left > 0:
        lines.append(f"... and {left:,} more. In all: {_tally(delivery.tally)}.\n{link('/', now)}")
    return Message(
        key=f"notice-{delivery.id}",
        channel=delivery.channel,
        subject=" ".join(subject.split())[:_SUBJECT],
        text="\n\n".join([*lines, *dict.fromkeys(mistakes)]),
        at=delivery.created_at,
        data=_facts(delivery, link, now),
    )


def path_of(notice: Notice) -> str:
    """Where on the page a notice is shown."""
    if notice.path:
        return notice.path
    return f"/decisions/{notice.decision}" if notice.decision else f"/models/{notice.model}"


def _values(notice: Notice, channel: str, address: str) -> Mapping[str, str]:
    return {
        "model": notice.model,
        "event": notice.event,
        "what": what_happened(notice.event),
        "sentence": notice.sentence.rstrip("."),
        "decision": "" if notice.decision is None else str(notice.decision),
        "link": address,
        "at": f"{notice.at:%Y-%m-%d %H:%M} UTC",
        "times": str(notice.times),
        "channel": channel,
    }


def _mistake(rules: ChannelRules, template: Template, event: str, mistake: str) -> str:
    name = event if rules.templates.get(event) is template else "default"
    return f"(This is the standard text: the template {name!r} cannot be used, {mistake})"


def _group_subject(delivery: Delivery) -> str:
    tally = {key: number for key, number in delivery.tally.items() if key != OTHERS}
    models = {key.partition(" ")[2] for key in tally}
    beyond = delivery.tally.get(OTHERS, 0)
    of = next(iter(models)) if len(models) == 1 else f"{len(models)} models"
    events: dict[str, int] = {}
    for key, number in tally.items():
        event = key.partition(" ")[0]
        events[event] = events.get(event, 0) + number
    said = [f"{number:,} {event}" for event, number in sorted(events.items())]
    said += [f"{beyond:,} other"] if beyond else []
    more = "more than " if beyond else ""
    return f"[incumbent] {delivery.count:,} notices about {more}{of}: {', '.join(said)}"


def _tally(tally: Mapping[str, int]) -> str:
    most = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    said = [f"{number:,} {key}" for key, number in most[:_TALLIED]]
    return ", ".join([*said, *(["..."] if len(most) > _TALLIED else [])])


def _facts(delivery: Delivery, link: Link, now: datetime) -> Mapping[str, Any]:
    notices = [
        {
            "event": one.event,
            "model": one.model,
            "sentence": one.sentence,
            "decision": one.decision,
            "at": format_time(one.at),
            "times": one.times,
            "link": link(path_of(one), now),
        }
        for one in delivery.notices
    ]
    return {"count": delivery.count, "tally": dict(delivery.tally), "notices": notices}
