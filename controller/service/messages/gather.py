"""From the outbox to the delivery log: each notice joins the open message of every address of its channel.

The letter is acknowledged in the transaction that books it, so that none is lost or booked twice. A message holds the
first notices and counts the rest: ten thousand events in a minute are one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from controller.domain.canonical import parse_time
from controller.domain.notices import ChannelRules
from controller.ports import (
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Letter,
    Notice,
    Senders,
    Silence,
    Transaction,
)

TOPIC = "notify"
MOST_NOTICES = 20
_MOST_TALLIED = 100
OTHERS = "other events"
"""What a tally that grew too long counts the rest under."""
CONSUMERS = "consumers"
"""The channel of consumers that have none of their own."""
_CONSUMER = "consumer:"
_NOBODY = "-"
_LOOK_BACK = 50

URGENT, NORMAL, REPEATED, LOST = "urgent", "", "repeated", "nowhere"


@dataclass(slots=True)
class Gathering:
    """One transaction's work: rows are read once and written once, however many letters there are."""

    tx: Transaction
    channels: Mapping[str, ChannelRules]
    senders: Senders
    silences: Sequence[Silence]
    now: datetime
    rows: dict[tuple[str, str, str], Delivery] = field(default_factory=dict)
    said: dict[tuple[str, str], set[tuple[str, str, str]]] = field(default_factory=dict)

    def take(self, letter: Letter) -> None:
        """Book one letter and acknowledge it."""
        notice = notice_of(letter.payload, self.now)
        channel = self._leading(str(letter.payload.get("channel", "")))
        silence = next((s for s in self.silences if s.covers(notice, channel, self.now)), None)
        labels = [sender.label for sender in self.senders.get(channel, ())]
        for label in labels or [_NOBODY]:
            self._join(channel, label, notice, silence, known=bool(labels))
        self.tx.outbox.acknowledge(letter.id)

    def _leading(self, channel: str) -> str:
        """A consumer without a channel of its own is told through the one for all of them."""
        if channel.startswith(_CONSUMER) and channel not in self.senders:
            return CONSUMERS if CONSUMERS in self.senders else channel
        return channel

    def write(self) -> None:
        """Write every row that took something."""
        for row in self.rows.values():
            self.tx.deliveries.put(row)

    def _join(
        self, channel: str, label: str, notice: Notice, silence: Silence | None, *, known: bool
    ) -> None:
        rules = self.channels.get(channel) or ChannelRules(name=channel)
        lane, state = NORMAL, DeliveryState.GATHERING
        if silence is not None:
            lane, state = f"silence:{silence.id}", DeliveryState.SILENCED
        elif not known:
            lane, state = LOST, DeliveryState.NOWHERE
        elif self._said_before(channel, label, rules, notice):
            lane, state = REPEATED, DeliveryState.SILENCED
        elif notice.event in rules.urgent:
            lane = URGENT
        row = self._row(channel, label, lane)
        if row is None:
            row = self._new(channel, label, lane, state, rules)
            if silence is not None:
                row = replace(row, silence=silence.id, last_error=f"silenced: {silence.reason}")
            elif lane == LOST:
                row = replace(row, last_error=f"no channel called {channel} is configured")
            elif lane == REPEATED:
                row = replace(row, last_error="the same was said a short while ago")
        self.rows[channel, label, lane] = joined(row, notice)

    def _row(self, channel: str, label: str, lane: str) -> Delivery | None:
        key = (channel, label, lane)
        return self.rows.get(key) or self.tx.deliveries.open(*key)

    def _new(
        self, channel: str, label: str, lane: str, state: DeliveryState, rules: ChannelRules
    ) -> Delivery:
        last = max(
            (
                row.sent_at
                for row in self._recent(channel, label, rules.interval)
                if row.sent_at is not None and row.lane == lane
            ),
            default=None,
        )
        return Delivery(
            channel=channel,
            address=label,
            lane=lane,
            state=state,
            created_at=self.now,
            due_at=rules.send_at(self.now, last, urgent=lane == URGENT),
        )

    def _recent(self, channel: str, label: str, back: timedelta) -> list[Delivery]:
        # A message is made before it leaves: look further back than it was sent.
        since = self.now - back - timedelta(days=1)
        query = DeliveryQuery(channel=channel, address=label, since=since, limit=_LOOK_BACK)
        return self.tx.deliveries.find(query)

    def _said_before(self, channel: str, label: str, rules: ChannelRules, notice: Notice) -> bool:
        key = (channel, label)
        if key not in self.said:
            ended = {DeliveryState.SENT, DeliveryState.SENDING}
            self.said[key] = {
                (one.event, one.model, one.sentence)
                for row in self._recent(channel, label, rules.repeat)
                if row.state in ended and row.again_of is None
                for one in row.notices
                if one.at > self.now - rules.repeat
            }
        return (notice.event, notice.model, notice.sentence) in self.said[key]


def joined(row: Delivery, notice: Notice) -> Delivery:
    """The row with one more notice: the same one again is counted, and beyond some only counts are kept."""
    notices = list(row.notices)
    for index, held in enumerate(notices):
        if (held.event, held.model, held.sentence) == (
            notice.event,
            notice.model,
            notice.sentence,
        ):
            notices[index] = replace(held, times=held.times + 1)
            break
    else:
        if len(notices) < MOST_NOTICES:
            notices.append(notice)
    key = f"{notice.event} {notice.model}"
    if key not in row.tally and len(row.tally) >= _MOST_TALLIED:
        key = OTHERS
    tally = {**row.tally, key: row.tally.get(key, 0) + 1}
    return replace(row, notices=tuple(notices), count=row.count + 1, tally=tally)


def notice_of(payload: Mapping[str, Any], now: datetime) -> Notice:
    """What a letter of the outbox says; parts that it lacks are empty."""
    decision, at, path = payload.get("decision"), payload.get("at"), payload.get("path")
    return Notice(
        event=str(payload.get("event", "")),
        model=str(payload.get("model", "")),
        sentence=str(payload.get("sentence", "")),
        at=parse_time(at) if isinstance(at, str) else now,
        decision=decision if isinstance(decision, int) else None,
        path=path if isinstance(path, str) and path.startswith("/") else None,
    )
