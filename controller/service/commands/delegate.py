"""Delegation: a person lets another approve in their place for a while. It gives groups, never a role."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.errors import Conflict, Forbidden, NotFound, UserError
from controller.ports import Delegation, Transaction
from controller.service.commands.access import Person, Role

LONGEST_DELEGATION = timedelta(days=90)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Whom somebody wants to approve in their place, until when and why; the same ``key`` is the same wish."""

    to: str
    until: datetime
    reason: str
    key: str | None = None


def add_delegation(tx: Transaction, person: Person, wish: Wish, now: datetime) -> Delegation:
    """Let somebody approve in the place of ``person``; UserError, Forbidden or Conflict if that cannot be."""
    if not any(role >= Role.REVIEWER for role in person.roles.values()):
        person.must("delegate", None)
    name = wish.to.strip() if ":" in wish.to else f"person:{wish.to.strip()}"
    new = Delegation(
        actor=person.actor,
        to=name,
        reason=wish.reason.strip(),
        since=now,
        until=wish.until,
        key=f"{person.actor}:{wish.key or uuid.uuid4()}",
    )
    known = next((d for d in tx.delegations.all(10_000) if d.key == new.key), None)
    if known is not None:
        if (known.to, known.until, known.reason) != (new.to, new.until, new.reason):
            raise Conflict("This idempotency key was used for another delegation.")
        return known
    if name in {"person:", person.actor}:
        raise UserError("Name somebody else to approve in your place.")
    if not new.reason:
        raise UserError("A delegation needs a reason.", hint="Say why, for the log.")
    if not now < wish.until <= now + LONGEST_DELEGATION:
        raise UserError(f"A delegation ends in the future, within {LONGEST_DELEGATION.days} days.")
    if any(d.actor == person.actor and d.holds(now) for d in tx.delegations.to(name)):
        raise Conflict(f"{name} approves in your place already.", hint="Take that back first.")
    return tx.delegations.add(new)


def take_back(tx: Transaction, person: Person, number: int, now: datetime) -> Delegation:
    """End a delegation at once. One's own, or anybody's for an admin."""
    found = next((d for d in tx.delegations.all(10_000) if d.id == number), None)
    if found is None:
        raise NotFound(f"There is no delegation {number}.")
    if found.actor != person.actor and person.role(None) is not Role.ADMIN:
        raise Forbidden(f"Delegation {number} is not yours.", hint="Its owner or an admin ends it.")
    if not tx.delegations.revoke(number, now):
        raise Conflict(f"Delegation {number} was taken back before.")
    return found
