"""Anchor: the head of the chain, kept where a database owner cannot reach it.

Whoever owns the database can drop the guards and write a whole new chain. What they cannot do is change a line that
somebody else holds: an anchor is the number and hash of the newest decision, signed (HMAC-SHA256 with a key that the
database never sees), appended to a file or written as a git note. Checking derives nothing: the record of that number
must still have that hash, so that everything before it is as it was.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.domain.canonical import canonical_json, format_time
from controller.domain.errors import IntegrityError, UserError
from controller.ports import Transaction
from controller.service.replay.decisions import Stray

_FORM = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """One line: decision, hash, when, where from, and the signature over the rest."""

    decision: int
    hash: str
    at: str
    database: str
    signature: str
    form: int = _FORM

    def line(self) -> str:
        """As it is written down."""
        return canonical_json(self)


def make_anchor(tx: Transaction, database: str, key: bytes, now: datetime) -> Anchor:
    """The present head, signed. UserError if nothing was decided yet."""
    number, head = tx.decisions.head()
    if number == 0:
        raise UserError("There is no decision to anchor yet.")
    said = {"decision": number, "hash": head, "at": format_time(now), "database": database}
    return Anchor(**said, signature=_sign(said, key))  # type: ignore[arg-type]


def cut_off(tx: Transaction) -> Stray | None:
    """What the log lacks by the newest anchor that is known to have been made; None if it lacks nothing."""
    known = tx.decisions.anchored()
    return None if known is None else lacking(tx, *known)


def lacking(tx: Transaction, number: int, hash_: str) -> Stray | None:
    """The same by an anchor of decision ``number``, which had that hash."""
    last, _ = tx.decisions.head()
    record = tx.decisions.get(number)
    if record is None:
        return Stray(
            decision=last,
            sentence=f"Decision {number} was anchored, and the log ends at {last}: the end was cut off.",
        )
    if record.hash != hash_:
        return Stray(
            decision=number,
            sentence=f"Decision {number} had the hash {hash_[:12]} when it was anchored, and has"
            f" {record.hash[:12]} now: history was written anew.",
        )
    return None


def read_anchors(lines: Iterable[str]) -> list[Anchor]:
    """Anchors as they were written down. IntegrityError for what is none."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            body: dict[str, Any] = json.loads(line)
            found.append(Anchor(**body))
        except (ValueError, TypeError, RecursionError) as error:
            raise IntegrityError(f"Line {number} is no anchor.") from error
    return found


def check_anchor(tx: Transaction, anchor: Anchor, key: bytes) -> str:
    """What is wrong with the log by this anchor, in one sentence; empty if nothing is."""
    said = {
        "decision": anchor.decision,
        "hash": anchor.hash,
        "at": anchor.at,
        "database": anchor.database,
    }
    if not hmac.compare_digest(_sign(said, key), anchor.signature):
        return f"The anchor of decision {anchor.decision} is not signed with this key."
    last, _ = tx.decisions.head()
    record = tx.decisions.get(anchor.decision)
    if record is None:
        return (
            f"Decision {anchor.decision} was anchored at {anchor.at}, and the log ends at {last}:"
            " the end was cut off."
        )
    if record.hash != anchor.hash:
        return (
            f"Decision {anchor.decision} had the hash {anchor.hash[:12]} at {anchor.at}, and has"
            f" {record.hash[:12]} now: history was written anew."
        )
    return ""


def _sign(said: dict[str, Any], key: bytes) -> str:
    if len(key) < 16:
        raise UserError("The key of anchors has at least 16 characters.")
    return hmac.new(key, canonical_json(said).encode(), hashlib.sha256).hexdigest()
