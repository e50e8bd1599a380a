"""Train a challenger."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

TRAIN = RunWork(
    kind=RunKind.TRAIN,
    noun="training",
    doing="training",
    rows="all rows of the training window",
    judges_challenger=False,
    has_candidate=True,
)
