"""The values of a plan: what flips, what cannot be known, trainings, and sample sizes. Renderers read only these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedOutcome:
    """What a decision comes to: its verdict, who sits in the seat after it, and the recipe of a training it starts."""

    verdict: str
    champion_after: int | None = None
    trains: str | None = None

    @property
    def words(self) -> str:
        """``promote v4``, ``train``, ``no action``."""
        if self.verdict == "none":
            return "no action"
        if self.verdict in {"promote", "rollback"} and self.champion_after is not None:
            return f"{self.verdict} v{self.champion_after}"
        return self.verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """One recorded decision that the new rules change, or may change.

    ``old`` and ``new`` hold every outcome that the record allows; one each where all is known. ``evidence`` holds
    the compared numbers of the gates that made the difference, by gate. ``missing`` says what history lacks.
    """

    decision: int
    decided_at: datetime
    old: tuple[PlannedOutcome, ...]
    new: tuple[PlannedOutcome, ...]
    because: str
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    challenger: int | None = None

    @property
    def flips(self) -> bool:
        """Whether the decision is another one for certain."""
        return not set(self.old) & set(self.new)

    @property
    def words(self) -> str:
        """``promote v4 -> hold or reject``."""
        return f"{_either(self.old)} -> {_either(self.new)}"


def _either(outcomes: tuple[PlannedOutcome, ...]) -> str:
    return " or ".join(dict.fromkeys(outcome.words for outcome in outcomes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """How many trainings rules would have started: between ``least`` and ``most``."""

    least: int
    most: int

    @property
    def words(self) -> str:
        """``12``, or ``12 to 14``."""
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainings:
    """Trainings that were recorded, and those that the triggers and limits of each side would have started."""

    recorded: int
    old: Range
    new: Range
    unknown: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What the change adds or saves, in one sentence."""
        low, high = self.new.least - self.old.most, self.new.most - self.old.least
        head = f"Trainings: {self.old.words} with the old rules, {self.new.words} with the new ones"
        if low == high == 0:
            tail = "none more, none fewer"
        elif low == high:
            tail = f"{abs(low):,} {'more' if low > 0 else 'fewer'}"
        else:
            tail = f"between {low:+,} and {high:+,}"
        floor = ", and what cannot be known comes on top" if self.unknown else ""
        return f"{head}: {tail}{floor}."


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSize:
    """Rows that a new gate needs to see ``difference``, and the rows that holdouts had. ``needed`` None: not known."""

    gate: str
    sentence: str
    needed: int | None = None
    seen: tuple[int, int] | None = None
    """The fewest and the most rows of the recorded holdouts."""

    @property
    def enough(self) -> bool | None:
        """Whether the largest holdout sufficed; None where it is not known."""
        if self.needed is None or self.seen is None:
            return None
        return self.needed <= self.seen[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPlan:
    """What the change does to one model."""

    model: str
    path: str
    old_blob: str | None
    new_blob: str | None
    decisions: int = 0
    flips: tuple[Replayed, ...] = ()
    unknown: tuple[Replayed, ...] = ()
    trainings: Trainings | None = None
    samples: tuple[SampleSize, ...] = ()
    notes: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None

    @property
    def summary(self) -> str:
        """One sentence, ``7 of 412 decisions change``."""
        if self.old_blob is None:
            return "A new policy: nothing has been decided by it yet."
        if self.new_blob is None:
            return "The policy is gone: nothing would be decided for the model any more."
        if not self.decisions:
            return "No decision of this model is recorded."
        noun = "decision" if self.decisions == 1 else "decisions"
        verb = "changes" if len(self.flips) == 1 else "change"
        text = f"{len(self.flips):,} of {self.decisions:,} {noun} {verb}"
        if self.unknown:
            text += f"; {len(self.unknown):,} cannot be known"
        return f"{text}."


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanReport:
    """The whole answer. ``base`` and ``head`` say in words what was compared."""

    base: str
    head: str
    models: tuple[ModelPlan, ...] = ()
    unchanged: int = 0

    @property
    def flips(self) -> int:
        """Decisions that change, over all models."""
        return sum(len(model.flips) for model in self.models)
