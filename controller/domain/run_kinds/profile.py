"""Profile new batches, and check what is expected of them."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

PROFILE = RunWork(
    kind=RunKind.PROFILE,
    noun="profile",
    doing="profile",
    rows="the new data",
    judges_challenger=False,
    has_candidate=False,
)
