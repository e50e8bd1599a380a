"""Retention: the artifacts of versions that were archived long enough ago leave, after a dry run that lists them.

What is listed has a digest; only that very list is carried out, so that nothing leaves that nobody saw. The decision
comes first and is refused for whatever is not archived; the bytes go afterwards, and only when no other version is made
of them. A crash in between leaves bytes, never a version without them: the next round takes them away.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.domain.canonical import digest
from controller.domain.errors import IncumbentError
from controller.domain.versions import VersionState
from controller.ports import ArtifactStore, Clock, Store, Transaction
from controller.service.registry.use import needs_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeavingArtifact:
    """A version whose artifact would leave. ``shared`` says that another version still needs the bytes."""

    version: int
    digest: str
    size: int
    archived_at: datetime
    shared: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionPlan:
    """What would leave of one model, and the digest by which it is carried out."""

    model: str
    leaving: tuple[LeavingArtifact, ...] = ()

    @property
    def digest(self) -> str:
        """Of the versions and their artifacts."""
        return digest([self.model, [(one.version, one.digest) for one in self.leaving]])[:16]

    @property
    def freed(self) -> int:
        """Bytes that would be free."""
        return sum(one.size for one in self.leaving if not one.shared)


def plan_retention(tx: Transaction, model: str, after: timedelta, now: datetime) -> RetentionPlan:
    """The archived versions whose artifact may leave: archived ``after`` ago, needed by nobody, not gone yet."""
    gone = {removal.version for removal in tx.keeps.removals(model)}
    needed = needs_of(tx, model, now)
    found = []
    for version in sorted(
        tx.registry.versions(model, states={VersionState.ARCHIVED}), key=lambda v: v.number
    ):
        since = version.state_since or version.created_at
        if version.number in gone or version.number in needed or since + after > now:
            continue
        found.append(version)
    leaving = {(model, version.number) for version in found}
    return RetentionPlan(
        model=model,
        leaving=tuple(
            LeavingArtifact(
                version=version.number,
                digest=version.digest,
                size=version.size,
                archived_at=version.state_since or version.created_at,
                shared=any(
                    (v.model, v.number) not in leaving for v in tx.keeps.users_of(version.digest)
                ),
            )
            for version in found
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What one round took away."""

    removed: int = 0
    kept: int = 0
    failed: int = 0


class Sweep:
    """Takes away the bytes whose removal was decided."""

    def __init__(self, store: Store, artifacts: ArtifactStore, clock: Clock) -> None:
        self._store = store
        self._artifacts = artifacts
        self._clock = clock

    def run_once(self) -> Swept:
        """Every removal that was decided and not done."""
        with self._store.read() as tx:
            waiting = tx.keeps.removals(undone=True)
        removed = kept = failed = 0
        for removal in waiting:
            # Looked at and marked in one transaction, so that no version comes to the digest in between.
            try:
                with self._store.begin() as tx:
                    if tx.keeps.users_of(removal.digest):
                        kept += 1
                    else:
                        self._artifacts.delete(removal.digest)
                        removed += 1
                    tx.keeps.removed(removal.model, removal.version, self._clock.now())
            except IncumbentError as error:
                failed += 1
                said = {"action": "sweep_failed", "model": removal.model, "why": error.sentence()}
                log.warning("an artifact could not be taken away", extra=said)
        return Swept(removed=removed, kept=kept, failed=failed)
