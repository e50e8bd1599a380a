"""Tokens, delegations and comments in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.errors import Conflict
from controller.ports import Comment, Delegation, Token


class MemoryTokens:
    """Tokens by id."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def issue(self, token: Token) -> Token:
        if self.by_digest(token.digest) is not None:
            raise Conflict("There is a token with that digest.")
        if token.key is not None and any(t.key == token.key for t in self._tables.tokens.values()):
            raise Conflict("There is a token with that key.")
        kept = replace(token, id=len(self._tables.tokens) + 1)
        self._tables.tokens[kept.id] = kept
        return kept

    def by_digest(self, digest: str) -> Token | None:
        return next((t for t in self._tables.tokens.values() if t.digest == digest), None)

    def all(self) -> list[Token]:
        return list(self._tables.tokens.newest())

    def revoke(self, token: int, at: datetime) -> bool:
        found = self._tables.tokens.get(token)
        if found is None or found.revoked_at is not None:
            return False
        self._tables.tokens[token] = replace(found, revoked_at=at)
        return True


class MemoryNonces:
    """The end of each by kind and name."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def use(self, kind: str, name: str, *, until: datetime, at: datetime) -> bool:
        nonces = self._tables.nonces
        for key in [key for key in nonces if key[0] == kind and nonces[key] < at]:
            nonces.pop(key)
        if (kind, name) in nonces:
            return False
        nonces[kind, name] = until
        return True

    def used(self, kind: str, name: str) -> bool:
        return (kind, name) in self._tables.nonces


class MemoryDelegations:
    """Delegations by id."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, delegation: Delegation) -> Delegation:
        for known in self._tables.delegations.values():
            if known.key == delegation.key:
                return known
        kept = replace(delegation, id=len(self._tables.delegations) + 1)
        self._tables.delegations[kept.id] = kept
        return kept

    def to(self, person: str) -> list[Delegation]:
        found = self._tables.delegations.values()
        return [d for d in found if d.to == person and d.revoked_at is None]

    def all(self, limit: int = 200) -> list[Delegation]:
        return list(self._tables.delegations.newest())[:limit]

    def revoke(self, delegation: int, at: datetime) -> bool:
        found = self._tables.delegations.get(delegation)
        if found is None or found.revoked_at is not None:
            return False
        self._tables.delegations[delegation] = replace(found, revoked_at=at)
        return True


class MemoryComments:
    """Comments by key, in order of entry."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, comment: Comment) -> Comment:
        found = self._tables.comments.get(comment.key)
        if found is None:
            found = replace(comment, id=len(self._tables.comments) + 1)
            self._tables.comments[comment.key] = found
        return found

    def of(self, subject: str, limit: int = 500) -> list[Comment]:
        found = [c for c in self._tables.comments.values() if c.subject == subject]
        return found[:limit]

    def latest(self, limit: int = 200) -> list[Comment]:
        return sorted(self._tables.comments.values(), key=lambda c: -c.id)[:limit]

    def uncovered(self, limit: int = 500) -> list[Comment]:
        covered = self._tables.covered_comments
        found = [c for c in self._tables.comments.values() if covered.get(c.id) is None]
        return found[:limit]

    def cover(self, numbers: Collection[int], decision: int) -> None:
        for number in numbers:
            self._tables.covered_comments[number] = decision

    def numbered(self, numbers: Collection[int]) -> list[Comment]:
        wanted = set(numbers)
        return [c for c in self._tables.comments.values() if c.id in wanted]
