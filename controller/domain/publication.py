"""What is known of a model's place in a team's own registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Settlement = Literal["hold", "adopt", "restore"]
"""What follows when somebody moved the champion in the team's registry: automatic promotion rests until a person
decides; their move is taken over as a promotion without gates; ours is written again."""

SETTLED_MOST = 3
SETTLED_WINDOW = timedelta(hours=1)
"""So many foreign moves are adopted or undone within so long; the next one holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One model's publication at ``place``.

    ``generation`` and ``alias`` are what we last wrote and read back: the seat's generation, and the number that the
    champion has over there. ``drift`` is a sentence while both sides differ, ``error`` while the other side does not
    answer; both are empty when all is well.
    """

    model: str
    place: str
    generation: int = 0
    alias: int | None = None
    decision: int = 0
    """The newest decision about the model whose effects are over there."""
    checked_at: datetime | None = None
    drift: str = ""
    drift_at: datetime | None = None
    drift_key: str = ""
    """The signal by which the drift was told to the engine."""
    settled: str = ""
    """How the last drift ended, in one sentence."""
    error: str = ""
    failures: int = 0
    look_at: datetime | None = None
    """When to look again, whatever else is known: after a failure, or at once where something hints at news."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A version over there: the number that it has, and the digest of what was written about it."""

    remote: int
    digest: str
