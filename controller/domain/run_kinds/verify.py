"""Load a version in a fresh process and let it answer for stored rows."""

from __future__ import annotations

from controller.domain.run_kinds.base import RunWork
from controller.domain.runs import RunKind

VERIFY = RunWork(
    kind=RunKind.VERIFY,
    noun="verify",
    doing="checking",
    rows="stored rows",
    judges_challenger=False,
    has_candidate=False,
)
