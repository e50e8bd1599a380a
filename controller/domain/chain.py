"""The hash chain of decisions: every record names the hash of the one before it.

Whoever writes (each adapter) and whoever checks (``verify``) uses this one computation, which needs the standard
library alone. Removing, editing or reordering a record changes a hash that a later record, or the head, names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.domain.canonical import digest
from controller.domain.decisions import DecisionRecord


def hash_of(record: DecisionRecord) -> str:
    """SHA-256 in hex over the canonical JSON of all fields but ``hash`` itself.

    The fields are named one by one: a field that a later version adds must not change the hashes of old records.
    """
    rules = record.rules
    covered = {
        "id": record.id,
        "model": record.model,
        "decided_at": record.decided_at,
        "rules": {
            "path": rules.path,
            "blob": rules.blob,
            "revision": rules.revision,
            "review": rules.review,
            "reviewers": rules.reviewers,
        },
        "snapshot": record.snapshot,
        "decision": record.decision,
        "prev_hash": record.prev_hash,
        "actor": record.actor,
    }
    return digest(covered)


def seal(record: DecisionRecord) -> DecisionRecord:
    """``record`` with the hash that belongs to it."""
    return replace(record, hash=hash_of(record))


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """The first record that does not fit, and what is wrong with it, in one sentence."""

    decision: int
    sentence: str


def break_at(record: DecisionRecord, number: int, before: str) -> Break | None:
    """What is wrong with ``record`` as the ``number``-th, after the one with the hash ``before``; None if it fits."""
    if record.id != number:
        return Break(decision=number, sentence=f"Decision {number} is missing.")
    if record.prev_hash != before:
        return Break(
            decision=number,
            sentence=f"Decision {number} does not follow the one before it: its prev_hash differs.",
        )
    if record.hash != hash_of(record):
        return Break(
            decision=number, sentence=f"Decision {number} was changed: its hash does not match."
        )
    return None
