"""What people wrote beside decisions, for the audit: tokens, delegations, silences, comments, each with its actor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from controller.policy.phrase import format_time_utc
from controller.ports import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """One write: who did what, when."""

    at: datetime
    actor: str
    what: str


def other_writes(tx: Transaction, until: datetime | None = None, limit: int = 50) -> list[Write]:
    """The newest writes (before ``until``), newest first."""
    found = [w for w in _all(tx, limit * 4) if until is None or w.at < until]
    return sorted(found, key=lambda w: w.at, reverse=True)[:limit]


def _all(tx: Transaction, limit: int) -> Iterator[Write]:
    for token in tx.tokens.all()[:limit]:
        whose = f" for models of {', '.join(token.owners)}" if token.owners else ""
        said = f"issued token {token.id} ({token.name}): {token.role}{whose}, as {token.actor}"
        yield Write(at=token.created_at, actor=token.created_by, what=said)
        if token.revoked_at is not None:
            yield Write(
                at=token.revoked_at, actor="", what=f"token {token.id} ({token.name}) was revoked"
            )
    for given in tx.delegations.all(limit):
        said = f"lets {given.to} approve until {format_time_utc(given.until)}: {given.reason}"
        yield Write(at=given.since, actor=given.actor, what=said)
        if given.revoked_at is not None:
            said = f"delegation {given.id} to {given.to} was taken back"
            yield Write(at=given.revoked_at, actor=given.actor, what=said)
    for silence in tx.silences.find(limit):
        about = silence.model or silence.event or silence.channel or "everything"
        said = f"silenced {about} until {format_time_utc(silence.ends_at)}: {silence.reason}"
        yield Write(at=silence.created_at, actor=silence.created_by, what=said)
    for comment in tx.comments.latest(limit):
        said = f"said of {comment.subject}: {comment.text[:200]}"
        yield Write(at=comment.at, actor=comment.actor, what=said)
