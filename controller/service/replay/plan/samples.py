"""How many rows the gates of new rules need, from the spread that recorded comparisons of the same metric had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist, median

from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import Gate, Policy
from controller.policy.phrase import format_number, margin, percent
from controller.policy.planning import PLANNED_POWER, difference_seen, paired_rows_needed
from controller.service.replay.plan.report import SampleSize

_KEPT = 1_000
"""The newest comparisons that are remembered of each metric."""


@dataclass(frozen=True, slots=True)
class _Compared:
    rows: int
    spread: float
    """Standard deviation of the difference of one row."""
    reference: float


@dataclass(slots=True)
class Comparisons:
    """Collects the comparisons that evaluations hold, by metric and reference, each evaluation once."""

    found: dict[tuple[str, str], list[_Compared]] = field(default_factory=dict)
    _runs: set[str] = field(default_factory=set)

    def add(self, evaluation: Evaluation, gates: tuple[Gate, ...]) -> None:
        """Take what one evaluation measured."""
        if evaluation.run in self._runs:
            return
        self._runs.add(evaluation.run)
        by_name = {gate.name: gate for gate in gates}
        for evidence in evaluation.evidence:
            gate, spread = by_name.get(evidence.gate), _spread(evidence)
            if gate is None or gate.reference is None or spread is None:
                continue
            kept = self.found.setdefault((evidence.metric, gate.reference.value), [])
            kept.append(_Compared(evidence.n, spread, abs(evidence.reference or 0.0)))
            del kept[:-_KEPT]

    def sizes(self, policy: Policy) -> Iterator[SampleSize]:
        """One answer for each gate of the policy that compares with a test."""
        for gate in policy.promote:
            if gate.reference is not None and gate.test != "point":
                yield self._size(gate, self.found.get((gate.metric, gate.reference.value), []))

    def _size(self, gate: Gate, compared: list[_Compared]) -> SampleSize:
        if not compared:
            words = f"no comparison of {gate.metric} with the {gate.reference} is recorded"
            return SampleSize(gate=gate.name, sentence=f"cannot know: {words}")
        rows = (min(c.rows for c in compared), max(c.rows for c in compared))
        spread = median(c.spread for c in compared)
        level = median(c.reference for c in compared)
        seen = f"{rows[0]:,}" if rows[0] == rows[1] else f"{rows[0]:,} to {rows[1]:,}"
        difference = gate.margin.value * (level if gate.margin.relative else 1.0)
        sure = percent(gate.confidence)
        if difference <= 0:
            least = difference_seen(spread, rows[1], confidence=gate.confidence)
            words = (
                f"holdouts had {seen} rows; {rows[1]:,} show a difference of "
                f"{format_number(least)} in {gate.metric} at {sure} in {percent(PLANNED_POWER)} of the cases"
            )
            return SampleSize(gate=gate.name, sentence=words, seen=rows)
        needed = paired_rows_needed(spread, difference, confidence=gate.confidence)
        verdict = (
            "enough"
            if needed <= rows[0]
            else "not always enough"
            if needed <= rows[1]
            else "too few"
        )
        words = (
            f"about {needed:,} rows see a margin of {margin(gate.margin)} ({format_number(difference)} in "
            f"{gate.metric}) at {sure} in {percent(PLANNED_POWER)} of the cases; holdouts had {seen}: {verdict}"
        )
        return SampleSize(gate=gate.name, sentence=words, needed=needed, seen=rows)


def _spread(evidence: GateEvidence) -> float | None:
    """From the standard error of the comparison, else from the bounds of its interval; blocks count as rows."""
    if evidence.n < 2 or evidence.reference is None:
        return None
    error = evidence.details.get("standard_error")
    if isinstance(error, (int, float)) and error > 0:
        return float(error) * sqrt(evidence.n)
    low, high = evidence.interval_low, evidence.interval_high
    if low is None or high is None or high <= low or not 0.5 < evidence.confidence < 1:
        return None
    return (high - low) / (2 * NormalDist().inv_cdf(evidence.confidence)) * sqrt(evidence.n)
