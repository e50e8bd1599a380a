"""Messages to people: the log of what left and what waits, the silences, and those who carry a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Protocol


class DeliveryState(StrEnum):
    """``gathering`` takes more notices, ``sending`` is tried until it arrives; the others are ends."""

    GATHERING = "gathering"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SILENCED = "silenced"
    NOWHERE = "nowhere"
    """Nobody said where the channel leads."""

    @property
    def takes_more(self) -> bool:
        """Whether further notices join this row."""
        return self in {DeliveryState.GATHERING, DeliveryState.SILENCED, DeliveryState.NOWHERE}

    @property
    def goes_on(self) -> bool:
        """Whether it is still being sent, or will be."""
        return self in {DeliveryState.GATHERING, DeliveryState.SENDING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing that happened: ``sentence`` says what and why. ``times`` counts the same said again."""

    event: str
    model: str
    sentence: str
    at: datetime
    decision: int | None = None
    path: str | None = None
    """Where on the page it is shown; None: its decision, or its model."""
    times: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message to one address of a channel. ``lane`` keeps what must not be mixed apart (urgent, silenced).

    ``notices`` holds the first ones, ``count`` how many there were, ``tally`` how many of each event of each model.
    """

    channel: str
    address: str
    lane: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime
    notices: tuple[Notice, ...] = ()
    count: int = 0
    tally: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str = ""
    silence: int | None = None
    again_of: int | None = None
    key: str | None = None
    """Of a person's order; the same key is the same message."""
    id: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQuery:
    """A filter for the log; None or () means any. Newest first, ``before`` is an exclusive id to page on.

    ``decision`` finds the messages that hold a notice about it, of the notices that they keep.
    """

    channel: str | None = None
    address: str | None = None
    states: tuple[str, ...] = ()
    since: datetime | None = None
    before: int | None = None
    limit: int = 100
    decision: int | None = None


class DeliveryRepository(Protocol):
    """The delivery log. ``now``, ``due_at`` and the rest are times of the decision clock."""

    def open(self, channel: str, address: str, lane: str) -> Delivery | None:
        """The newest row of this lane if it still takes notices."""
        ...

    def put(self, delivery: Delivery) -> Delivery:
        """Write a row, a new one where its id is 0; the answer has its id. A known key answers with its row."""
        ...

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        """Rows to be sent now, oldest first; of each address only its oldest that has not arrived."""
        ...

    def claim(self, delivery: Delivery, until: datetime) -> Delivery | None:
        """Take it for one attempt (it is nobody else's before ``until``); None if it changed meanwhile."""
        ...

    def get(self, delivery: int) -> Delivery | None: ...

    def find(self, query: DeliveryQuery) -> list[Delivery]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """What nobody wants to hear for a while, why, and until when. None means any; ``model`` may hold ``*``."""

    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    model: str | None = None
    event: str | None = None
    channel: str | None = None
    key: str | None = None
    """The same key is the same silence."""
    id: int = 0

    def covers(self, notice: Notice, channel: str, now: datetime) -> bool:
        """Whether the notice is not to be sent to the channel now."""
        return (
            self.created_at <= now < self.ends_at
            and (self.model is None or fnmatchcase(notice.model, self.model))
            and self.event in {None, notice.event}
            and self.channel in {None, channel}
        )


class SilenceRepository(Protocol):
    """Silences, past ones too: who silenced what and why stays known."""

    def add(self, silence: Silence) -> Silence:
        """Keep a new one; the answer has its id. A known key answers with what was kept under it."""
        ...

    def get(self, silence: int) -> Silence | None: ...

    def end(self, silence: int, at: datetime) -> bool:
        """Let it end now; False if there is none or it is over."""
        ...

    def active(self, now: datetime) -> list[Silence]:
        """What is in force at ``now``, the one that ends first first."""
        ...

    def find(self, limit: int = 100) -> list[Silence]:
        """All, newest first."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is brought to one address. ``key`` stays the same from try to try, so that it is known when it comes twice.

    ``subject`` and ``text`` are plain text for people; ``data`` are the same facts for programs.
    """

    key: str
    channel: str
    subject: str
    text: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


class Sender(Protocol):
    """Brings messages to one address. ``label`` names the address without its secrets."""

    @property
    def label(self) -> str: ...

    def send(self, message: Message) -> None:
        """Raises Unavailable when it could not be delivered, ConfigurationError when it never will be like this."""
        ...


Senders = Mapping[str, Sequence[Sender]]
"""Where each channel leads."""
