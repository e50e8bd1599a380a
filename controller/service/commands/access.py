"""Who may do what: roles by the server's settings, tokens that are shown once, and the person behind a request.

Nothing here reads a policy's text for power: groups and roles come from the operator's settings alone, so that no
reviewed rule can grant itself anything.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum

from controller.domain.errors import ConfigurationError, Forbidden, NotLoggedIn, UserError
from controller.domain.names import check_actor
from controller.ports import Token, Transaction

ANYBODY = "*"
"""Everybody who is logged in; as an owner: every model."""
MARK_OF_TOKENS = "inc_"
"""What a token begins with, so that scanners for leaked secrets can know it."""
LONGEST_TOKEN = timedelta(days=366)


class Role(IntEnum):
    """What one may do; a higher role may all that a lower one may."""

    VIEWER = 1
    REVIEWER = 2
    OPERATOR = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """Its name as settings write it."""
        return self.name.lower()


NEEDED: Mapping[str, Role] = {
    "read": Role.VIEWER,
    "comment": Role.REVIEWER,
    "plan": Role.REVIEWER,
    "delegate": Role.REVIEWER,
    "withdraw": Role.REVIEWER,
    "approve": Role.REVIEWER,
    "reject": Role.REVIEWER,
    "train": Role.OPERATOR,
    "signal": Role.OPERATOR,
    "cancel": Role.OPERATOR,
    "retry": Role.OPERATOR,
    "hold": Role.OPERATOR,
    "release": Role.OPERATOR,
    "release_batch": Role.OPERATOR,
    "rollback": Role.OPERATOR,
    "catalog": Role.OPERATOR,
    "alias": Role.OPERATOR,
    "deprecate": Role.OPERATOR,
    "archive": Role.OPERATOR,
    "restore": Role.OPERATOR,
    "drill": Role.OPERATOR,
    "dismiss": Role.OPERATOR,
    "notify": Role.OPERATOR,
    "retain": Role.ADMIN,
    "token": Role.ADMIN,
    "promote": Role.ADMIN,
}
"""The least role that each thing takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who asks. ``roles`` maps an owner of models (or ``*``) to the role for them."""

    actor: str
    groups: tuple[str, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    stands_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """In whose place this person may approve now, with the groups of each."""

    def role(self, owner: str | None) -> Role | None:
        """The highest role for the models of ``owner``; None if there is none."""
        found = [self.roles[name] for name in (ANYBODY, owner or "") if name in self.roles]
        return max(found, default=None)

    def why_not(self, right: str, owner: str | None) -> str:
        """Why this person may not do it, in one sentence; empty if they may."""
        needed, has = NEEDED[right], self.role(owner)
        if has is not None and has >= needed:
            return ""
        whose = f" for models of {owner}" if owner else ""
        mine = f"you are {has.word}" if has else "you have no role"
        return f"This takes the role {needed.word}{whose}; {mine}."

    def must(self, right: str, owner: str | None) -> None:
        """Raise Forbidden unless :meth:`why_not` has nothing to say."""
        why = self.why_not(right, owner)
        if why:
            raise Forbidden(why, hint="The operator gives roles in the server's settings.")


def parse_role(word: str) -> Role:
    """``reviewer`` as a role; ConfigurationError otherwise."""
    try:
        return Role[word.upper()]
    except KeyError:
        words = ", ".join(role.word for role in Role)
        raise ConfigurationError(f"{word!r} is no role.", hint=f"There are {words}.") from None


def groups_of(actor: str, groups: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The groups that the operator put ``actor`` into."""
    names = {actor, actor.removeprefix("person:")}
    return tuple(sorted(group for group, people in groups.items() if names & {*people}))


def person_of(
    actor: str,
    groups: Mapping[str, Iterable[str]],
    roles: Mapping[str, Iterable[str]],
    also: Iterable[str] = (),
) -> Person:
    """``actor`` with the groups and roles that the settings give; ``also`` are groups that a provider vouches for."""
    mine = tuple(sorted({*groups_of(actor, groups), *also}))
    names = {ANYBODY, actor, actor.removeprefix("person:"), *(f"group:{group}" for group in mine)}
    found: dict[str, Role] = {}
    for key, people in roles.items():
        word, _, owner = key.partition("@")
        role = parse_role(word)
        if names & {*people}:
            found[owner or ANYBODY] = max(role, found.get(owner or ANYBODY, role))
    return Person(actor=actor, groups=mine, roles=found)


def capped(person: Person, most: Person) -> Person:
    """``person`` with no more than ``most`` may: a token gives its bearer nothing that the settings do not."""
    roles: dict[str, Role] = {}
    for owner, role in person.roles.items():
        if owner == ANYBODY:
            roles |= {name: min(role, other) for name, other in most.roles.items()}
        elif (other := most.role(owner)) is not None:
            roles[owner] = min(role, other)
    return replace(person, roles=roles)


def everything(actor: str, groups: Mapping[str, Iterable[str]]) -> Person:
    """A person who may do all: who sits at the machine that the embedded default runs on."""
    return Person(actor=actor, groups=groups_of(actor, groups), roles={ANYBODY: Role.ADMIN})


def standing_in(
    tx: Transaction, person: Person, groups: Mapping[str, Iterable[str]], now: datetime
) -> Person:
    """``person`` with those in whose place they may approve at ``now``."""
    found = [d.actor for d in tx.delegations.to(person.actor) if d.holds(now)]
    return replace(person, stands_for={actor: groups_of(actor, groups) for actor in found})


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOrder:
    """A token that somebody asks for."""

    name: str
    actor: str
    role: Role
    lasts: timedelta
    owners: tuple[str, ...] = ()
    by: str = "system"
    key: str | None = None


def issue_token(tx: Transaction, order: TokenOrder, now: datetime) -> tuple[str, Token]:
    """A new token: its secret, which nobody can show again, and its row; UserError for a name that is none."""
    if not order.name.strip():
        raise UserError("A token needs a name.", hint="Say what it is for, such as `ci`.")
    check_actor(order.actor)
    if not timedelta(0) < order.lasts <= LONGEST_TOKEN:
        raise UserError(
            f"A token lasts up to {LONGEST_TOKEN.days} days.", hint="Say --expires 30d."
        )
    secret = MARK_OF_TOKENS + secrets.token_urlsafe(32)
    row = Token(
        name=order.name.strip(),
        digest=digest_of(secret),
        actor=order.actor,
        role=order.role.word,
        owners=order.owners,
        created_by=order.by,
        created_at=now,
        expires_at=now + order.lasts,
        key=order.key,
    )
    return secret, tx.tokens.issue(row)


def digest_of(secret: str) -> str:
    """What is kept of a token. It has 256 bits of chance in it: a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def bearer(
    tx: Transaction, digest: str, groups: Mapping[str, Iterable[str]], now: datetime
) -> Person:
    """Who bears the token with this digest; NotLoggedIn if it is unknown, run out or revoked."""
    token = tx.tokens.by_digest(digest)
    if token is None:
        raise NotLoggedIn("This token is not known here.")
    if token.revoked_at is not None:
        raise NotLoggedIn(f"The token {token.name} was revoked.")
    if token.expires_at <= now:
        raise NotLoggedIn(
            f"The token {token.name} ran out at {token.expires_at:%Y-%m-%d %H:%M} UTC."
        )
    role = parse_role(token.role)
    return Person(
        actor=token.actor,
        groups=groups_of(token.actor, groups),
        roles=dict.fromkeys(token.owners or (ANYBODY,), role),
    )
