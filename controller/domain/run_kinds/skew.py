"""Hold the serving log against the training rows, and row by row against the data."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

SKEW = RunWork(
    kind=RunKind.SKEW,
    noun="skew",
    doing="skew",
    rows="the rows that it served",
    judges_challenger=False,
    has_candidate=False,
)
