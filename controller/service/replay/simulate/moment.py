"""A recorded decision, asked about again: with other rules, or with other evidence. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from controller.domain import codec
from controller.domain.decisions import Decision, DecisionRecord
from controller.domain.errors import IntegrityError
from controller.domain.evidence import Evaluation
from controller.domain.rules import Policy
from controller.domain.signals import SignalKind
from controller.domain.snapshot import SNAPSHOT_FORMAT, Snapshot
from controller.policy.approvals import as_if_asked_by
from controller.policy.decide import decide


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedMoment:
    """The decision's number and time, and the state that was recorded with it."""

    decision: int
    at: datetime
    snapshot: Snapshot

    @classmethod
    def of(cls, record: DecisionRecord) -> Self:
        """IntegrityError if the snapshot is none, or was written by a newer release."""
        snapshot = codec.load_value(Snapshot, record.snapshot)
        if snapshot.format > SNAPSHOT_FORMAT:
            raise IntegrityError(f"the snapshot of decision {record.id} has a newer format.")
        return cls(decision=record.id, at=record.decided_at, snapshot=snapshot)

    def decide(self, rules: Policy) -> Decision:
        """What ``rules`` decide then, with the approvals asked for as they would have asked."""
        snapshot = self.snapshot
        if snapshot.approvals:
            asked = as_if_asked_by(rules.approval, snapshot.approvals)
            snapshot = replace(snapshot, approvals=asked)
        return decide(snapshot, rules, self.at)

    def with_evidence(self, exchanged: Mapping[str, Evaluation]) -> Self:
        """Other evaluations in the place of those of the same run; what people said of the old they said of the new."""
        old = {e.run: e for e in self.snapshot.evaluations}
        old |= {v.evaluation.run: v.evaluation for v in self.snapshot.versions if v.evaluation}
        snapshot = replace(
            self.snapshot,
            evaluations=tuple(exchanged.get(e.run, e) for e in self.snapshot.evaluations),
            versions=tuple(
                replace(v, evaluation=exchanged[v.evaluation.run])
                if v.evaluation is not None and v.evaluation.run in exchanged
                else v
                for v in self.snapshot.versions
            ),
        )
        if snapshot.approvals or any(s.kind is SignalKind.APPROVAL for s in snapshot.signals):
            seen = {old[run].digest: new.digest for run, new in exchanged.items()}
            snapshot = _seen(snapshot, seen)
        return replace(self, snapshot=snapshot)


def _seen(snapshot: Snapshot, now: Mapping[str, str]) -> Snapshot:
    """``now``: from the digest of the evidence that people saw to that of what stands there instead."""
    return replace(
        snapshot,
        approvals=tuple(
            replace(a, evidence=now.get(a.evidence, a.evidence)) for a in snapshot.approvals
        ),
        signals=tuple(
            replace(s, payload={**s.payload, "evidence": now[seen]})
            if (seen := str(s.payload.get("evidence") or "")) in now
            else s
            for s in snapshot.signals
        ),
    )
