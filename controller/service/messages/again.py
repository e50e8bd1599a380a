"""What a person does with messages: send one again, try a channel out, silence what nobody wants to hear."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from controller.domain.errors import Conflict, Forbidden, NotFound, UserError
from controller.domain.rules import Policy
from controller.ports import Delivery, DeliveryState, Silence, Transaction
from controller.service.commands.access import Person
from controller.service.commands.submit import owner_of
from controller.service.messages.gather import TOPIC

LONGEST_SILENCE = timedelta(days=30)
Parse = Callable[[str, str], Policy]


def must_handle(tx: Transaction, person: Person, held: Delivery, parse: Parse) -> None:
    """Raise Forbidden unless ``person`` may send the message again: all that it tells of is theirs to operate."""
    models: list[str | None] = [*{one.model for one in held.notices}]
    for model in models or [None]:
        person.must("notify", _owner(tx, model, parse))


def why_not_handle(tx: Transaction, person: Person, held: Delivery, parse: Parse) -> str:
    """Why ``person`` may not send the message again, in one sentence; empty if they may."""
    try:
        must_handle(tx, person, held, parse)
    except Forbidden as error:
        return error.message
    return ""


def why_not_silence(tx: Transaction, person: Person, wanted: Silence, parse: Parse) -> str:
    """Why ``person`` may not silence that, in one sentence; empty if they may."""
    try:
        must_silence(tx, person, wanted, parse)
    except Forbidden as error:
        return error.message
    return ""


def must_silence(tx: Transaction, person: Person, wanted: Silence, parse: Parse) -> None:
    """Raise Forbidden unless ``person`` may silence that: of one model its operator, of all that of all."""
    person.must("notify", _owner(tx, wanted.model, parse))


def _owner(tx: Transaction, model: str | None, parse: Parse) -> str | None:
    if model is None or {*"*?["} & {*model}:
        return None
    try:
        return owner_of(tx, model, parse)
    except NotFound:  # a trial of a channel, or a silence that is there before its model
        return None


def why_not_again(held: Delivery) -> str:
    """Why the message cannot be sent again, in one sentence; empty if it can."""
    if held.state in {DeliveryState.GATHERING, DeliveryState.SENDING}:
        return f"Message {held.id} is still on its way; it is tried until it arrives."
    if held.state is DeliveryState.NOWHERE:
        return f"Message {held.id} has no address: {held.last_error}."
    return ""


def send_again(tx: Transaction, number: int, now: datetime, key: str | None = None) -> Delivery:
    """A copy of a message that leaves at once, one under ``key``; NotFound or Conflict if that makes no sense."""
    held = tx.deliveries.get(number)
    if held is None:
        raise NotFound(f"There is no message {number}.", hint="`incumbent notify` lists them.")
    why = why_not_again(held)
    if why:
        nowhere = held.state is DeliveryState.NOWHERE
        raise Conflict(why, hint="Name the channel in the file of INCUMBENT_NOTIFY." * nowhere)
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
        key=key,
    )
    kept = tx.deliveries.put(copy)
    if kept.again_of != number:
        raise Conflict("This idempotency key was used for another message.")
    return kept


def known_channel(known: Collection[str], channel: str) -> None:
    """NotFound, with the channels that there are, if the settings know none of that name."""
    if channel not in known:
        named = ", ".join(sorted(known)) or "none is configured; see INCUMBENT_NOTIFY"
        raise NotFound(f"There is no channel called {channel}.", hint=f"There are: {named}.")


def try_out(
    tx: Transaction, channel: str, actor: str, now: datetime, key: str | None = None
) -> None:
    """Put a notice for the channel into the outbox, as a decision would. The same ``key`` is one notice."""
    payload = {
        "channel": channel,
        "event": "test",
        "model": "incumbent",
        "sentence": f"{actor} tries out the channel {channel}",
        "decision": None,
        "path": "/",
        "at": now,
    }
    tx.outbox.put(TOPIC, f"test:{key or uuid.uuid4()}", payload)


def keep_silence(tx: Transaction, wanted: Silence, now: datetime) -> Silence:
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
    kept = tx.silences.add(wanted)
    if _what(kept) != _what(wanted):
        raise Conflict("This idempotency key was used for another silence.")
    return kept


def finish_silence(
    tx: Transaction, person: Person, number: int, parse: Parse, now: datetime
) -> Silence:
    """Let a silence end now; one that is over stays as it was. NotFound if there is none."""
    held = tx.silences.get(number)
    if held is None:
        raise NotFound(f"There is no silence {number}.", hint="`incumbent silence` lists them.")
    must_silence(tx, person, held, parse)
    if not tx.silences.end(number, now):
        return held
    return replace(held, ends_at=now)


def _what(kept: Silence) -> tuple[object, ...]:
    return (kept.model, kept.event, kept.channel, kept.reason)
