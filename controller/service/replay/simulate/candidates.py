"""Turns what a test says of a candidate into the evidence that a worker would have reported.

A test gives a two-sided 95 % interval of the difference; the p-values follow from it as for a normal distribution,
so that a gate passes exactly where its one-sided bound clears the margin.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from controller.domain.evidence import Evaluation, GateEvidence, HoldoutView
from controller.domain.metrics import is_lower_better
from controller.domain.rules import SERVABLE, Gate
from controller.domain.runs import Run
from controller.rulefmt.testcandidates import Against, RuleTestCandidate, RuleTestMetric

_METHOD = "interval of a rule test"
_NORMAL = NormalDist()
_HALF_WIDTH = _NORMAL.inv_cdf(0.975)


def evaluation_of(candidate: RuleTestCandidate, run: Run) -> Evaluation:
    """The report of the evaluation run, with evidence for each gate that the candidate has a metric for."""
    gates = [_for_gate(candidate, gate) for gate in run.spec.gates]
    rows = max((m.rows for m in candidate.metrics.values()), default=0)
    return Evaluation(
        run=run.id,
        version=run.spec.version or 0,
        champion=run.spec.champion,
        anchor=run.spec.anchor,
        evidence=(_servable(candidate), *(item for item in gates if item is not None)),
        holdout=HoldoutView(rows=rows, labelled=rows),
    )


def _servable(candidate: RuleTestCandidate) -> GateEvidence:
    problem = None if candidate.servable else "the candidate does not load"
    value = 1.0 if candidate.servable else 0.0
    return GateEvidence(
        gate=SERVABLE, metric=SERVABLE, method="load", challenger=value, problem=problem
    )


def _for_gate(candidate: RuleTestCandidate, gate: Gate) -> GateEvidence | None:
    measured = candidate.metrics.get(gate.metric)
    if measured is None:
        return None
    whole = _evidence(gate, measured)
    if gate.slices is None:
        return whole
    wanted = set(gate.slices.by)
    slices = tuple(
        replace(_evidence(gate, part.metrics[gate.metric]), slice=part.where)
        for part in candidate.slices
        if set(part.where) == wanted and gate.metric in part.metrics
    )
    return replace(whole, slices=slices)


def _evidence(gate: Gate, measured: RuleTestMetric) -> GateEvidence:
    plain = GateEvidence(
        gate=gate.name,
        metric=gate.metric,
        method=_METHOD,
        challenger=measured.value,
        n=measured.rows,
        problem=f"{gate.metric} could not be computed" if measured.value is None else None,
    )
    if gate.reference is None or measured.value is None:
        return plain
    reference = measured.against.get(gate.reference.value)
    if reference is None:
        return replace(plain, problem=f"{gate.metric} of the {gate.reference.value} is not known")
    return _compared(plain, gate, measured.value, reference)


def _compared(plain: GateEvidence, gate: Gate, value: float, reference: Against) -> GateEvidence:
    difference = value - reference.value
    margin = gate.margin.value * (abs(reference.value) if gate.margin.relative else 1.0)
    loss = (
        difference
        if is_lower_better(gate.metric, higher_is_better=gate.higher_is_better)
        else -difference
    )
    theta = loss + gate.comparison.question.margin_sign * margin
    compared = replace(
        plain,
        reference=reference.value,
        reference_name=str(gate.reference),
        difference=difference,
        theta=theta,
    )
    if reference.interval is None:
        return compared
    low, high = reference.interval
    error = (high - low) / (2 * _HALF_WIDTH)
    certain = 0.0 if theta < 0 else 1.0
    p_pass = _NORMAL.cdf(theta / error) if error > 0 else certain
    return replace(
        compared, interval_low=low, interval_high=high, p_pass=p_pass, p_fail=1.0 - p_pass
    )
