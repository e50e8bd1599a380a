"""Gates: evidence held against what the policy asks. Only ``pass`` counts; missing evidence never passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.metrics import is_lower_better
from controller.domain.rules import SERVABLE, Comparison, Gate, Reference
from controller.policy.phrase import format_number, need, percent

_ORDER = (Result.ERROR, Result.FAIL, Result.INCONCLUSIVE, Result.PASS)
"""The worst first: what several results come to together."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """One gate's outcome, and whether it counts (a dry run does not)."""

    gate: Gate
    outcome: Outcome

    @property
    def result(self) -> Result:
        """The gate's result."""
        return self.outcome.result


def worst_result(results: list[Result]) -> Result:
    """What several results come to: error before fail before inconclusive before pass."""
    return next((result for result in _ORDER if result in results), Result.PASS)


def judge_gates(
    gates: tuple[Gate, ...], evaluation: Evaluation, level: float | None
) -> tuple[GateVerdict, ...]:
    """Every gate of the policy, and ``servable``, which is always on.

    ``level`` is the test level α that the error budget leaves; None means that each gate is judged at its own
    confidence. It holds for the gates that luck would have to pass (see `_rests_on`).
    """
    servable = Gate(name=SERVABLE, metric=SERVABLE, comparison=Comparison.AT_LEAST, threshold=1.0)
    judged = [GateVerdict(servable, _judge_servable(servable, evaluation.for_gate(SERVABLE)))]
    for gate in gates:
        if gate.name == SERVABLE:
            continue
        evidence = evaluation.for_gate(gate.name)
        budgeted = level if _rests_on(gate, gates) else None
        judged.append(GateVerdict(gate, judge_gate(gate, evidence, budgeted)))
    return tuple(judged)


def _rests_on(gate: Gate, gates: tuple[Gate, ...]) -> bool:
    """Whether the promotion rests on this gate, so that a false pass would be a false promotion.

    That is "better than" somebody, and the anchor: at a fixed level each of endless challengers has another
    chance to slip past it, and the model sinks (benchmarks/gates, slow decay). "Not worse than the champion" is
    one only where nothing has to be better.
    """
    if gate.comparison is Comparison.BETTER_THAN or gate.reference is Reference.ANCHOR:
        return True
    better = any(g.comparison is Comparison.BETTER_THAN and not g.dry_run for g in gates)
    return gate.comparison is Comparison.NOT_WORSE_THAN and not better


def judge_gate(gate: Gate, evidence: GateEvidence | None, level: float | None = None) -> Outcome:
    """One gate against its evidence, with every slice that was asked for."""
    if evidence is None:
        return _missing(gate, f"no evidence for {gate.metric} was reported")
    whole = _judge_rows(gate, evidence, level)
    if gate.slices is None:
        return whole
    if not evidence.slices:
        return _missing(gate, f"no slice by {' and '.join(gate.slices.by)} was reported")
    children = tuple(_judge_slice(gate, part, level) for part in evidence.slices)
    counted = [child.result for child in children if child.result is not Result.SKIPPED]
    result = worst_result([whole.result, *counted]) if counted else Result.INCONCLUSIVE
    bad = [child for child in children if child.result not in {Result.PASS, Result.SKIPPED}]
    tail = (
        f"; {len(bad)} of {len(counted)} slices do not pass, worst: {bad[0].name}"
        if bad
        else f"; all {len(counted)} slices pass"
    )
    if not counted:
        tail = "; no slice has enough rows"
    return Outcome(
        name=gate.name,
        result=result,
        sentence=whole.sentence + tail,
        values=whole.values,
        line=gate.line or None,
        children=children,
    )


def _judge_slice(gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
    name = ", ".join(f"{column}={value}" for column, value in evidence.slice.items())
    minimum = gate.slices.min_rows if gate.slices else 0
    if evidence.n < minimum:
        return Outcome(
            name=name,
            result=Result.SKIPPED,
            sentence=f"{evidence.n:,} rows, at least {minimum:,} are needed to judge it",
            values={"n": evidence.n},
        )
    outcome = _judge_rows(gate, evidence, level)
    return Outcome(
        name=name, result=outcome.result, sentence=outcome.sentence, values=outcome.values
    )


def _judge_servable(gate: Gate, evidence: GateEvidence | None) -> Outcome:
    if evidence is None:
        return _missing(gate, "nobody tried to load the challenger in a fresh process")
    if evidence.problem is not None or evidence.challenger != 1.0:
        why = evidence.problem or "the challenger did not answer"
        return Outcome(name=gate.name, result=Result.FAIL, sentence=why, values=_values(evidence))
    return Outcome(
        name=gate.name,
        result=Result.PASS,
        sentence="loads in a fresh process and takes the columns that serving has",
        values=_values(evidence),
    )


def _judge_rows(gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
    if evidence.problem is not None:
        result = Result.INCONCLUSIVE if evidence.challenger is not None else Result.ERROR
        return _outcome(gate, evidence, result, evidence.problem)
    if evidence.challenger is None:
        return _outcome(gate, evidence, Result.ERROR, f"{gate.metric} could not be computed")
    if gate.reference is None:
        return _judge_threshold(gate, evidence)
    if gate.test == "point":
        return _judge_point(gate, evidence)
    return _judge_test(gate, evidence, level)


def _judge_threshold(gate: Gate, evidence: GateEvidence) -> Outcome:
    value, threshold = evidence.challenger, gate.threshold
    if value is None or threshold is None:
        return _outcome(gate, evidence, Result.ERROR, f"{gate.metric} has no value to compare")
    met = value <= threshold if gate.comparison is Comparison.AT_MOST else value >= threshold
    result = Result.PASS if met else Result.FAIL
    return _outcome(gate, evidence, result, f"{gate.metric} {format_number(value)}")


def _judge_point(gate: Gate, evidence: GateEvidence) -> Outcome:
    if evidence.theta is None:
        return _outcome(gate, evidence, Result.ERROR, f"{gate.metric} could not be compared")
    met = evidence.theta < 0 or (
        gate.comparison is Comparison.NOT_WORSE_THAN and evidence.theta <= 0
    )
    return _outcome(gate, evidence, Result.PASS if met else Result.FAIL, _against(gate, evidence))


def _judge_test(gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:
    """A one-sided test each way: the need is met, its opposite is shown, or neither."""
    if evidence.p_pass is None or evidence.theta is None:
        return _outcome(gate, evidence, Result.INCONCLUSIVE, _against(gate, evidence))
    own = round(1.0 - gate.confidence, 12)
    alpha = own if level is None else min(own, level)
    if evidence.p_pass <= alpha:
        result = Result.PASS
    elif evidence.p_fail is not None and evidence.p_fail <= own:
        result = Result.FAIL
    else:
        result = Result.INCONCLUSIVE
    return _outcome(gate, evidence, result, _against(gate, evidence), alpha=alpha)


def _against(gate: Gate, evidence: GateEvidence) -> str:
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


def _outcome(
    gate: Gate, evidence: GateEvidence, result: Result, what: str, alpha: float | None = None
) -> Outcome:
    sentence = f"{what}; needed: {need(gate)}"
    if result is Result.INCONCLUSIVE and evidence.needed_n:
        sentence += f"; about {evidence.needed_n:,} rows would decide it"
    if gate.dry_run:
        sentence += " (dry run, does not count)"
    values = _values(evidence)
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


def _values(evidence: GateEvidence) -> dict[str, Any]:
    return {name: getattr(evidence, name) for name in _SHOWN}


def _missing(gate: Gate, why: str) -> Outcome:
    return Outcome(
        name=gate.name,
        result=Result.ERROR,
        sentence=f"{why}; needed: {need(gate)}",
        line=gate.line or None,
    )
