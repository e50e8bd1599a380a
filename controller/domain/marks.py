"""Marks of signals: proof that the API or the command line took a signal from the person whom it names.

A row of the inbox names its actor as text, and whoever may write rows may name anybody. So whoever holds a signing key
marks what it takes in (HMAC-SHA256 over what the signal says), and whoever decides believes the actor only with a good
mark. Workers hold no key: training code could read it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.canonical import canonical_json
from controller.domain.errors import ConfigurationError
from controller.domain.signals import SignalKind

SHORTEST = 32
"""Characters that a signing key has at least."""
UNSIGNED = (
    "there is no signing key, so nothing that people say is marked or checked: "
    "whoever may write to the database can speak for anybody"
)

SPOKEN = frozenset(
    {
        SignalKind.APPROVAL,
        SignalKind.PROMOTE,
        SignalKind.REJECT,
        SignalKind.ROLLBACK,
        SignalKind.HOLD,
        SignalKind.RELEASE,
        SignalKind.RELEASE_BATCH,
        SignalKind.CANCEL,
        SignalKind.ALIAS,
        SignalKind.DEPRECATE,
        SignalKind.ARCHIVE,
        SignalKind.RESTORE,
        SignalKind.RETAIN,
        SignalKind.DISMISS,
    }
)
"""Kinds that say what is to happen; they need a mark whoever is named as their actor."""

PERSON = "person:"


def needs_mark(kind: str, actor: str) -> bool:
    """Whether such a signal is believed with a good mark only."""
    return actor.startswith(PERSON) or kind in SPOKEN


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a mark covers. ``at`` is when it happened, by its sender; ``payload`` is canonical JSON."""

    key: str
    model: str
    kind: str
    trigger: str | None
    actor: str
    at: datetime
    payload: str


class SigningKeys:
    """The keys of one installation: the first one signs, each of them checks, so that keys can be replaced.

    A mark is ``ID:HMAC``; the id is told by the key itself, so that nobody has to number keys.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        listed = [key for key in keys if key]
        if not listed or any(len(key) < SHORTEST for key in listed):
            raise ConfigurationError(
                f"A signing key has at least {SHORTEST} characters.",
                hint="Make one with `openssl rand -hex 32`; several are separated by spaces or lines.",
            )
        self._keys = {key_id(key): key.encode() for key in listed}
        self._current = key_id(listed[0])

    def mark(self, said: Said) -> str:
        """The mark of what was said, by the current key."""
        return f"{self._current}:{_hmac(self._keys[self._current], said)}"

    def knows(self, mark: str) -> bool:
        """Whether the mark names one of these keys."""
        return mark.partition(":")[0] in self._keys

    def problem(self, said: Said, mark: str | None) -> str:
        """Why the signal is not believed, as a sentence; empty where it is."""
        who = said.actor
        if not mark:
            return f"it has no mark, so nothing shows that {who} sent it"
        name, _, code = mark.partition(":")
        key = self._keys.get(name)
        if key is None:
            return f"its mark names signing key {name[:16]}, which is not known here"
        if not hmac.compare_digest(code.encode(), _hmac(key, said).encode()):
            return f"its mark does not match what it says, so nothing shows that {who} sent it"
        return ""

    def seal_start(self, signal: int) -> str:
        """The mark of "signals up to this number are from before there were marks"."""
        key = self._keys[self._current]
        return f"{self._current}:{_start(key, signal)}"

    def opens(self, signal: int, mark: str) -> bool:
        """Whether one of these keys sealed that number."""
        name, _, code = mark.partition(":")
        key = self._keys.get(name)
        return key is not None and hmac.compare_digest(code.encode(), _start(key, signal).encode())


def key_id(key: str) -> str:
    """The name that a key's marks carry; it tells nothing of the key."""
    return hashlib.sha256(b"incumbent signing key:" + key.encode()).hexdigest()[:8]


def _hmac(key: bytes, said: Said) -> str:
    return hmac.new(key, canonical_json(["signal", 1, said]).encode(), hashlib.sha256).hexdigest()


def _start(key: bytes, signal: int) -> str:
    return hmac.new(key, canonical_json(["start", 1, signal]).encode(), hashlib.sha256).hexdigest()
