"""What every kind of gate must know. A kind that lacks a duty cannot be made, and mypy says so before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.keys import Key
from controller.domain.metrics import Metric, is_lower_better
from controller.domain.rules import Comparison, Gate, GateQuestion
from controller.policy.gates.outcomes import outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class FlipPoint:
    """Which setting of the gate would have turned the decision, and to which side of what was measured."""

    setting: Literal["threshold", "margin"]
    key: str
    """The setting's key in a policy."""
    beyond: str
    """Which side of the measured value makes the gate fail: ``above `` or ``below ``."""
    sign: float
    """For a threshold the way to a failure; for a margin what turns a gain into the margin as it is written."""
    inclusive: bool = True
    """For a threshold: whether the measured value itself, taken as the threshold, is met."""

    @property
    def short_of(self) -> str:
        """The other side than ``beyond``."""
        return {"above ": "below ", "below ": "above "}[self.beyond]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What the page draws: a gain, its bounds where it has some, and what was needed of it."""

    point: float
    need: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class GateKind(ABC):
    """One kind of gate: its key, its question to the evidence, its judging and its words."""

    comparison: Comparison
    keys: tuple[Key, ...]
    """What a policy says of it: the comparison, and its margin where it has one."""
    flip: FlipPoint
    improves: bool
    """Whether a pass shows that the challenger is better than somebody."""

    @property
    def question(self) -> GateQuestion:
        """What it asks of the evidence."""
        return self.comparison.question

    @property
    def key(self) -> str:
        """Its comparison key in a policy."""
        return self.comparison.value

    @property
    def margin_key(self) -> str | None:
        """The key of its margin in a policy; None: it has no margin."""
        return self.keys[1].name if self.question.paired else None

    @abstractmethod
    def need(self, gate: Gate) -> str:
        """What the gate asks for, in words."""

    @abstractmethod
    def rests(self, *, improved: bool) -> bool:
        """Whether a false pass would be a false promotion; ``improved``: another gate asks for an improvement."""

    @abstractmethod
    def compare(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
        """Judge evidence that has the challenger's value. ``level``: the test level α of the error budget, if any."""

    @abstractmethod
    def draw(self, gate: Gate, values: Mapping[str, Any]) -> Drawing | None:
        """What the page draws of the recorded figures; None: nothing."""

    @abstractmethod
    def never_fails(self, gate: Gate, metric: Metric | None) -> str:
        """Why nothing can fail the gate, where ``metric`` is known and that can be told; else empty."""

    @abstractmethod
    def never_passes(self, gate: Gate, metric: Metric | None) -> str:
        """Why nothing can pass the gate, where that can be told; else empty."""

    def missing(self, gate: Gate) -> str:
        """What is said where there is no evidence at all."""
        return f"no evidence for {gate.metric} was reported"

    def judge(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
        """Judge the rows of one piece of evidence; what could not be measured never passes."""
        if evidence.problem is not None:
            known = evidence.challenger is not None
            result = Result.INCONCLUSIVE if known else Result.ERROR
            return self.outcome(gate, evidence, result, evidence.problem)
        if evidence.challenger is None:
            what = f"{gate.metric} could not be computed"
            return self.outcome(gate, evidence, Result.ERROR, what)
        return self.compare(gate, evidence, level)

    def outcome(self, gate: Gate, evidence: GateEvidence, result: Result, what: str) -> Outcome:
        """What was found beside what was needed."""
        return outcome(gate, evidence, result, what, needed=self.need(gate))


def gain_sign(gate: Gate) -> float:
    """By what a difference of the gate's metric is multiplied to be a gain."""
    lower = is_lower_better(gate.metric, higher_is_better=gate.higher_is_better)
    return -1.0 if lower else 1.0
