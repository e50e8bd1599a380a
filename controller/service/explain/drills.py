"""Drills: when the way back was last proven, and by which run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controller.domain.runs import RunKind, RunState
from controller.ports import Query, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A version that was loaded and asked in a fresh process."""

    model: str
    version: int
    run: str
    at: datetime

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"A rollback of {self.model} was last checked {self.at:%Y-%m-%d %H:%M} UTC: "
            f"v{self.version} answered in {self.run}."
        )


def last_proof(tx: Transaction, model: str) -> Proof | None:
    """The newest verification that succeeded; None if there was none."""
    wanted = Query(
        model=model, kinds=(RunKind.VERIFY.value,), states=(RunState.DONE.value,), limit=1
    )
    for run in tx.runs.find(wanted):
        if run.spec.version is not None and run.ended_at is not None:
            return Proof(model=model, version=run.spec.version, run=run.id, at=run.ended_at)
    return None
