"""Tokens that are ordered over the API: by admins, for no more than they have themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from controller.domain.errors import Conflict, Forbidden, NotFound
from controller.ports import Token, Transaction
from controller.service.commands.access import (
    Person,
    TokenOrder,
    groups_of,
    issue_token,
    standing_in,
)


def grant_token(
    tx: Transaction,
    maker: Person,
    order: TokenOrder,
    groups: Mapping[str, Iterable[str]],
    now: datetime,
) -> tuple[str, Token]:
    """A new token's secret and row; Forbidden beyond the maker's own rights, Conflict under a known key.

    ``groups`` are the operator's. The secret cannot be said twice: who sends the order again is told its number.
    """
    for owner in order.owners or (None,):
        maker.must("token", owner)  # for an admin, who has the highest role: no role goes beyond
    if order.actor != maker.actor:
        stranger = Person(actor=order.actor, groups=groups_of(order.actor, groups))
        both = standing_in(tx, stranger, groups, now)
        more = {*both.groups, *(g for given in both.stands_for.values() for g in given)}
        more -= {*maker.groups}
        if more:
            raise Forbidden(
                f"{order.actor} approves for {', '.join(sorted(more))} and you do not:"
                " the token would grant more than you have.",
                hint="Leave out who it speaks for, or let one of them make it.",
            )
    key = f"{maker.actor}:{order.key or uuid.uuid4()}"
    known = next((token for token in tx.tokens.all() if token.key == key), None)
    if known is not None:
        raise Conflict(
            f"Token {known.id} was made under this key; it was shown then and cannot be shown again.",
            hint=f"If nobody saw it, `incumbent token revoke {known.id}` and order another.",
        )
    return issue_token(tx, replace(order, key=key, by=maker.actor), now)


def tokens_in_charge(tx: Transaction, person: Person) -> list[Token]:
    """Every token that ``person`` could have made, the newest first; Forbidden for who may make none."""
    for owner in person.roles:
        if not person.why_not("token", owner):
            break
    else:
        person.must("token", None)
    return [token for token in tx.tokens.all() if not _why_not(person, token)]


def revoke_token(tx: Transaction, person: Person, number: int, now: datetime) -> Token:
    """End a token at once: one's own, or one that ``person`` could have made. One that has ended stays as it is."""
    found = next((token for token in tx.tokens.all() if token.id == number), None)
    if found is None:
        raise NotFound(f"There is no token {number}.", hint="`incumbent token list` shows them.")
    why = _why_not(person, found)
    if why and found.actor != person.actor:
        raise Forbidden(why, hint="The operator gives roles in the server's settings.")
    if not tx.tokens.revoke(number, now):
        return found
    return replace(found, revoked_at=now)


def _why_not(person: Person, token: Token) -> str:
    return next(
        (why for owner in token.owners or (None,) if (why := person.why_not("token", owner))), ""
    )
