"""Delivers messages: gathers what decisions wrote into the outbox, and sends what is due until it arrives.

An address that fails is tried again with growing pauses and holds up no other; what happens meanwhile gathers into
its next message. A message is claimed before it is sent: a crash in between sends it twice with the same key, and
never loses it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta

from controller.domain.errors import IncumbentError
from controller.domain.notices import ChannelRules
from controller.ports import Clock, Delivery, DeliveryState, Message, Sender, Senders, Store
from controller.service.messages.gather import TOPIC, Gathering
from controller.service.messages.render import Link, render

log = logging.getLogger(__name__)

_BATCH = 1000
_MOST_BATCHES = 20
_CLAIM = timedelta(minutes=2)
_LONGEST_BACK_OFF = timedelta(minutes=5)
_ASKED_TO_WAIT = 3600
_LEASE = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeConfig:
    """Where channels lead and how they are spoken to. ``patience``: seconds that one attempt may take."""

    channels: Mapping[str, ChannelRules] = field(default_factory=dict)
    senders: Senders = field(default_factory=dict)
    owner: str = "notify"
    patience: float = 30.0
    batch: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeReport:
    """What one look did."""

    gathered: int = 0
    sent: int = 0
    failed: int = 0
    given_up: int = 0


class DeliverNotifications:
    """Takes notices out of the outbox and brings them to people and programs."""

    def __init__(self, store: Store, clock: Clock, config: NoticeConfig, link: Link) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._link = link
        self._under_way: dict[tuple[str, str], Future[None]] = {}

    def run_once(self) -> NoticeReport:
        """Gather, then send what is due."""
        gathered = self._gather()
        ends = self._send()
        return NoticeReport(
            gathered=gathered,
            sent=ends.count(DeliveryState.SENT),
            failed=ends.count(DeliveryState.SENDING),
            given_up=ends.count(DeliveryState.FAILED),
        )

    # --- gathering ----------------------------------------------------------------------------------------------

    def _gather(self) -> int:
        taken = 0
        for _ in range(_MOST_BATCHES):
            with self._store.read() as tx:
                waiting = bool(tx.outbox.due(TOPIC, 1))
            if not waiting:
                break
            found = self._gather_batch()
            taken += found
            if found < _BATCH:
                break
        return taken

    def _gather_batch(self) -> int:
        now = self._clock.now()
        with self._store.begin() as tx:
            if tx.leases.acquire(TOPIC, self._config.owner, _LEASE) is None:
                return 0
            letters = tx.outbox.due(TOPIC, _BATCH)
            work = Gathering(
                tx, self._config.channels, self._config.senders, tx.silences.active(now), now
            )
            for letter in letters:
                work.take(letter)
            work.write()
        return len(letters)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> list[DeliveryState]:
        now = self._clock.now()
        with self._store.read() as tx:
            due = tx.deliveries.due(now, self._config.batch)
        begun = [one for one in map(self._begin, due) if one is not None]
        wait([future for _, future in begun], timeout=self._config.patience)
        return [self._settle(delivery, future) for delivery, future in begun]

    def _begin(self, delivery: Delivery) -> tuple[Delivery, Future[None]] | None:
        """Start one attempt in a thread of its own; None if it is another's, or the last one still hangs."""
        place = (delivery.channel, delivery.address)
        hanging = self._under_way.get(place)
        if hanging is not None and not hanging.done():
            return None
        now = self._clock.now()
        with self._store.begin() as tx:
            taken = tx.deliveries.claim(delivery, now + _CLAIM)
        if taken is None:
            return None
        future: Future[None] = Future()
        self._under_way[place] = future
        sender = self._sender(taken)
        if sender is None:
            future.set_exception(_Gone(f"{taken.channel} has no address {taken.address} any more."))
            return taken, future
        rules = self._config.channels[taken.channel]
        message = render(taken, rules, self._link, now)
        # A daemon: a receiver that never answers must not keep the process from ending.
        threading.Thread(
            target=_attempt, args=(sender, message, future), name=f"notify {place}", daemon=True
        ).start()
        return taken, future

    def _sender(self, delivery: Delivery) -> Sender | None:
        known: Sequence[Sender] = self._config.senders.get(delivery.channel, ())
        return next((one for one in known if one.label == delivery.address), None)

    def _settle(self, delivery: Delivery, future: Future[None]) -> DeliveryState:
        """Write how the attempt ended."""
        now = self._clock.now()
        if not future.done():
            error: BaseException | None = IncumbentError(
                f"{delivery.address} did not answer within {self._config.patience:g} s."
            )
        else:
            error = future.exception()
        ended = self._ended(delivery, error)
        with self._store.begin() as tx:
            tx.deliveries.put(ended)
        extra = {
            "action": f"notify_{ended.state.value}",
            "channel": delivery.channel,
            "address": delivery.address,
            "delivery": delivery.id,
        }
        if error is None:
            log.info("message sent", extra={**extra, "notices": delivery.count, "at": now})
        else:
            level = logging.WARNING if ended.state.goes_on else logging.ERROR
            log.log(level, "message not sent", extra={**extra, "why": ended.last_error})
        return ended.state

    def _ended(self, delivery: Delivery, error: BaseException | None) -> Delivery:
        now = self._clock.now()
        if error is None:
            return replace(delivery, state=DeliveryState.SENT, sent_at=now, last_error="")
        words = error.sentence() if isinstance(error, IncumbentError) else repr(error)
        if isinstance(error, _Gone):
            return replace(delivery, state=DeliveryState.NOWHERE, last_error=words)
        give_up = self._config.channels[delivery.channel].give_up
        if now - delivery.created_at >= give_up:
            words = f"given up after {delivery.attempts} attempts: {words}"
            return replace(delivery, state=DeliveryState.FAILED, last_error=words)
        pause = min(timedelta(seconds=2 ** min(delivery.attempts, 9)), _LONGEST_BACK_OFF)
        asked = error.details.get("retry_after") if isinstance(error, IncumbentError) else None
        if isinstance(asked, int):
            pause = max(pause, timedelta(seconds=min(asked, _ASKED_TO_WAIT)))
        return replace(delivery, due_at=now + pause, last_error=words)


class _Gone(IncumbentError):
    """The address was taken out of the settings while a message waited for it."""


def _attempt(sender: Sender, message: Message, future: Future[None]) -> None:
    try:
        sender.send(message)
    except Exception as error:  # noqa: BLE001 - whatever a sender raises is how the attempt ended
        future.set_exception(error)
    else:
        future.set_result(None)
