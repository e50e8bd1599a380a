"""Who may call, who stands in for whom, and what people say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """The right of a program or a person to call the API. Only the SHA-256 of what was shown once is kept.

    ``role`` is what its bearer may do at most, with the models of ``owners`` only (none given: with all).
    """

    name: str
    digest: str
    actor: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    owners: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    key: str | None = None
    """Of the order; the same key never makes a second token."""
    id: int = 0


class TokenRepository(Protocol):
    """Who may call. A revoked token stays, so that what it did has a name."""

    def issue(self, token: Token) -> Token:
        """Keep a new token; the answer has its id. Conflict if its digest or its key is known."""
        ...

    def by_digest(self, digest: str) -> Token | None: ...

    def all(self) -> list[Token]:
        """Every token ever issued, the newest first."""
        ...

    def revoke(self, token: int, at: datetime) -> bool:
        """End a token at once; False if there is no such one or it was revoked before."""
        ...


class NonceRepository(Protocol):
    """What counts once: deliveries that were taken, login links that were used, sessions that were ended.

    A name is kept for as long as it could be shown again, and no longer: the caller refuses what is older.
    """

    def use(self, kind: str, name: str, *, until: datetime, at: datetime) -> bool:
        """Keep ``name`` until then; False if it is kept already. What ended before ``at`` is forgotten."""
        ...

    def used(self, kind: str, name: str) -> bool: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """``actor`` lets ``to`` approve in their place until ``until``, or until it is taken back."""

    actor: str
    to: str
    reason: str
    since: datetime
    until: datetime
    key: str
    """The same key is the same delegation."""
    revoked_at: datetime | None = None
    id: int = 0

    def holds(self, now: datetime) -> bool:
        """Whether it counts at ``now``."""
        return self.revoked_at is None and self.since <= now < self.until


class DelegationRepository(Protocol):
    """Who approves in whose place. A delegation that was taken back stays, so that what it allowed has a name."""

    def add(self, delegation: Delegation) -> Delegation:
        """Keep a new one; the answer has its id. A known key answers with what was kept under it."""
        ...

    def to(self, person: str) -> list[Delegation]:
        """Every delegation to ``person`` that was not taken back, oldest first."""
        ...

    def all(self, limit: int = 200) -> list[Delegation]:
        """The newest first."""
        ...

    def revoke(self, delegation: int, at: datetime) -> bool:
        """End one at once; False if there is no such one or it was taken back before."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What a person says about ``subject``: ``decision:5``, ``run:flight-delay.r3`` or ``version:flight-delay/3``.

    ``text`` is Markdown as it was typed; whoever shows it sanitises it. The same ``key`` is the same comment.
    """

    subject: str
    actor: str
    at: datetime
    text: str
    key: str
    id: int = 0


class CommentRepository(Protocol):
    """What people say beside decisions, runs and versions. Nothing is decided by it, nothing is taken out."""

    def add(self, comment: Comment) -> Comment: ...

    def of(self, subject: str, limit: int = 500) -> list[Comment]:
        """The subject's comments, oldest first."""
        ...

    def latest(self, limit: int = 200) -> list[Comment]:
        """The newest comments about anything, newest first."""
        ...

    def uncovered(self, limit: int = 500) -> list[Comment]:
        """Comments that no decision's record covers yet, oldest first."""
        ...

    def cover(self, numbers: Collection[int], decision: int) -> None:
        """Say that the decision's record covers these comments."""
        ...

    def numbered(self, numbers: Collection[int]) -> list[Comment]:
        """The comments of these numbers; those that do not exist are left out."""
        ...
