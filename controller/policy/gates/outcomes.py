"""How what a gate found stands in a decision: one sentence, and the figures beside it."""

from __future__ import annotations

from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.metrics import is_lower_better
from controller.domain.rules import Gate
from controller.policy.phrase import format_number, percent


def against(gate: Gate, evidence: GateEvidence) -> str:
    """``mae 14.21 against 14.63 (champion v2) on the same 18,422 rows: better by 0.42, 95 % bounds …``."""
    text = (
        f"{gate.metric} {format_number(evidence.challenger)} against {format_number(evidence.reference)} "
        f"({evidence.reference_name or gate.reference}) on the same {evidence.n:,} rows"
    )
    if evidence.difference is None:
        return text
    lower_is_better = is_lower_better(gate.metric, higher_is_better=gate.higher_is_better)
    gain = -evidence.difference if lower_is_better else evidence.difference
    text += f": {'better' if gain >= 0 else 'worse'} by {format_number(abs(gain))}"
    if evidence.interval_low is None or evidence.interval_high is None:
        return text
    ends = sorted(
        (-evidence.interval_low, -evidence.interval_high)
        if lower_is_better
        else (evidence.interval_low, evidence.interval_high)
    )
    return (
        f"{text}, {percent(evidence.confidence)} bounds of the gain "
        f"{format_number(ends[0])} and {format_number(ends[1])}"
    )


def outcome(
    gate: Gate,
    evidence: GateEvidence,
    result: Result,
    what: str,
    *,
    needed: str,
    alpha: float | None = None,
) -> Outcome:
    """``what`` was found and what was ``needed``, as one node of the decision's tree."""
    sentence = f"{what}; needed: {needed}"
    if result is Result.INCONCLUSIVE and evidence.needed_n:
        sentence += f"; about {evidence.needed_n:,} rows would decide it"
    if gate.dry_run:
        sentence += " (dry run, does not count)"
    values = shown(evidence)
    if alpha is not None:
        values["alpha"] = alpha
    return Outcome(
        name=gate.name, result=result, sentence=sentence, values=values, line=gate.line or None
    )


_SHOWN = (
    "metric",
    "method",
    "challenger",
    "reference",
    "reference_name",
    "difference",
    "interval_low",
    "interval_high",
    "confidence",
    "theta",
    "p_pass",
    "p_fail",
    "n",
    "n_dropped",
    "blocks",
    "needed_n",
)


def shown(evidence: GateEvidence) -> dict[str, Any]:
    """The figures of the evidence that a decision keeps."""
    return {name: getattr(evidence, name) for name in _SHOWN}
