"""Ask the champion about rows whose labels have come since it was judged."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

DECAY = RunWork(
    kind=RunKind.DECAY,
    noun="decay",
    doing="decay",
    rows="the labels that came since",
    judges_challenger=False,
    has_candidate=False,
)
