"""What a person does with messages: send one again, try a channel out, silence what nobody wants to hear."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from controller.domain.errors import Conflict, NotFound, UserError
from controller.ports import Delivery, DeliveryState, Silence, Transaction
from controller.service.notices.gather import TOPIC

LONGEST_SILENCE = timedelta(days=30)


def send_again(tx: Transaction, number: int, now: datetime) -> Delivery:
    """A copy of a message that leaves at once, under a key of its own; NotFound or Conflict if that makes no sense."""
    held = tx.deliveries.get(number)
    if held is None:
        raise NotFound(f"There is no message {number}.", hint="`incumbent notify log` lists them.")
    if held.state in {DeliveryState.GATHERING, DeliveryState.SENDING}:
        raise Conflict(f"Message {number} is still on its way; it is tried until it arrives.")
    if held.state is DeliveryState.NOWHERE:
        raise Conflict(
            f"Message {number} has no address: {held.last_error}.",
            hint="Name the channel in the file of INCUMBENT_NOTIFY.",
        )
    copy = replace(
        held,
        id=0,
        state=DeliveryState.SENDING,
        lane="",
        created_at=now,
        due_at=now,
        attempts=0,
        sent_at=None,
        last_error="",
        silence=None,
        again_of=number,
    )
    return tx.deliveries.put(copy)


def try_out(tx: Transaction, channel: str, actor: str, now: datetime) -> None:
    """Put a notice for the channel into the outbox, as a decision would."""
    payload = {
        "channel": channel,
        "event": "test",
        "model": "incumbent",
        "sentence": f"{actor} tries out the channel {channel}",
        "decision": None,
        "path": "/",
        "at": now,
    }
    tx.outbox.put(TOPIC, f"test:{uuid.uuid4()}", payload)


def silence(tx: Transaction, wanted: Silence, now: datetime) -> Silence:
    """Keep a silence; UserError without a reason, or if it has no end or a far one."""
    if not wanted.reason.strip():
        raise UserError("A silence needs a reason.", hint="Say why, for those who wonder.")
    if wanted.ends_at <= now:
        raise UserError("The silence would end before it begins.")
    if wanted.ends_at - now > LONGEST_SILENCE:
        raise UserError(
            f"A silence lasts up to {LONGEST_SILENCE.days} days.",
            hint="What is never wanted is taken out of the policy's `notify`.",
        )
    return tx.silences.add(wanted)
