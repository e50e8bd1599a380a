"""A signal: something happened that a model's rules may care about. The inbox keeps each exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from controller.domain.canonical import canonical_json


class SignalKind(StrEnum):
    """What happened. The first group may cause a training, the second reports work, the third is a person's."""

    SCHEDULE = "schedule"
    NEW_DATA = "new_data"
    DRIFT = "drift"
    DECAY = "decay"
    SKEW = "skew"
    WEBHOOK = "webhook"
    MANUAL = "manual"
    SERVED = "served"
    SCHEMA_CHANGED = "schema_changed"
    QUARANTINED = "quarantined"

    RUN_FINISHED = "run_finished"
    RUN_FAILED = "run_failed"
    METRIC = "metric"
    LIFECYCLE = "lifecycle"

    APPROVAL = "approval"
    PROMOTE = "promote"
    REJECT = "reject"
    ROLLBACK = "rollback"
    HOLD = "hold"
    RELEASE = "release"
    RELEASE_BATCH = "release_batch"
    CANCEL = "cancel"
    ALIAS = "alias"
    DEPRECATE = "deprecate"
    ARCHIVE = "archive"
    RESTORE = "restore"
    RETAIN = "retain"
    DRILL = "drill"
    DISMISS = "dismiss"
    FOREIGN_MOVE = "foreign_move"


TRAINING_CAUSES = frozenset(
    {
        SignalKind.SCHEDULE,
        SignalKind.NEW_DATA,
        SignalKind.DRIFT,
        SignalKind.DECAY,
        SignalKind.SKEW,
        SignalKind.WEBHOOK,
        SignalKind.MANUAL,
        SignalKind.RELEASE_BATCH,
    }
)

CAUSES = TRAINING_CAUSES | {SignalKind.SCHEMA_CHANGED, SignalKind.QUARANTINED, SignalKind.METRIC}
"""What the world brings, in any number; people and the ends of runs are few and go before."""

OBSERVATIONS = CAUSES - {SignalKind.MANUAL, SignalKind.RELEASE_BATCH}
"""What somebody saw and posted. What follows from it is the system's act; who posted it is its cause."""


URGENT = frozenset(
    {
        SignalKind.DISMISS,
        SignalKind.ROLLBACK,
        SignalKind.HOLD,
        SignalKind.RELEASE,
        SignalKind.CANCEL,
        SignalKind.REJECT,
    }
)
"""What a person can still do with a model that rests in error."""


class SignalStatus(StrEnum):
    """Every signal ends as handled, skipped or failed; deferred waits with a reason."""

    OPEN = "open"
    DEFERRED = "deferred"
    HANDLED = "handled"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen with the signal."""
        return self in {SignalStatus.HANDLED, SignalStatus.SKIPPED, SignalStatus.FAILED}

    @property
    def done(self) -> bool:
        """Whether something was done because of the signal."""
        return self is SignalStatus.HANDLED


class SignalIdentity(NamedTuple):
    """What makes two signals one. A key means something only to its actor, about one model and one kind."""

    model: str
    kind: SignalKind
    actor: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSignal:
    """A signal before it is in the inbox. ``key`` makes it idempotent: the same identity is the same signal.

    ``actor`` is who caused it: ``system``, ``worker``, ``person:NAME`` or ``webhook:NAME``.
    """

    key: str
    model: str
    kind: SignalKind
    occurred_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    trigger: str | None = None
    actor: str = "system"

    @property
    def identity(self) -> SignalIdentity:
        """What makes it one with another signal."""
        return SignalIdentity(self.model, self.kind, self.actor, self.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """A signal in the inbox; ``id`` rises in the order of acceptance."""

    id: int
    key: str
    model: str
    kind: SignalKind
    occurred_at: datetime
    received_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)
    trigger: str | None = None
    actor: str = "system"
    status: SignalStatus = SignalStatus.OPEN
    reason: str = ""
    decision: int | None = None
    problem: str = ""
    """Why the row cannot be read as a signal, empty where it can; its payload is empty then, and its kind a guess."""

    @property
    def identity(self) -> SignalIdentity:
        """What makes it one with another signal."""
        return SignalIdentity(self.model, self.kind, self.actor, self.key)

    def repeats(self, new: NewSignal, at: datetime) -> bool:
        """Whether ``new``, which was sent at ``at``, says the same as this signal.

        A time of its own counts only where the sender named one: else it is that of the sending, another each time.
        """
        named = new.occurred_at != at
        if named and self.occurred_at != new.occurred_at:
            return False
        return _content(self.trigger, self.payload) == _content(new.trigger, new.payload)


def _content(trigger: str | None, payload: Mapping[str, Any]) -> bytes:
    """What a signal says, as any store gives it back: what can't be stored was replaced in the one that is kept."""
    name = None if trigger is None else trigger.replace("\x00", "\ufffd")
    return canonical_json([name, payload]).encode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalAnswer:
    """What a decision says to one signal."""

    signal: int
    status: SignalStatus
    reason: str
