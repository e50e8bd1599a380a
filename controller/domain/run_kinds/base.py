"""What every kind of run must say of itself. One that leaves something out cannot be made, and mypy says so before."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.runs import RunKind


@dataclass(frozen=True, kw_only=True, slots=True)
class RunWork:
    """One kind of run."""

    kind: RunKind
    noun: str
    """What a sentence calls such a run: ``training``."""
    doing: str
    """What is said while it runs: ``comparing it with the champion``."""
    rows: str
    """Which rows it looks at."""
    judges_challenger: bool
    """Whether its end says what becomes of a challenger: where it fails, the challenger cannot be judged."""
    has_candidate: bool
    """Whether a rule test says what it brings, and when."""
