"""Score a challenger and whom it is held against on the same rows."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

EVALUATE = RunWork(
    kind=RunKind.EVALUATE,
    noun="evaluation",
    doing="comparing it with the champion",
    rows="the holdout",
    judges_challenger=True,
    has_candidate=False,
)
