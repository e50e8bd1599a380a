"""Gates: evidence held against what the policy asks. Only ``pass`` counts; missing evidence never passes."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import SERVABLE, Gate, Reference
from controller.policy.gates import servable
from controller.policy.gates.base import GateKind
from controller.policy.gates.registry import kind_of

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
    loads = _judge(servable.SERVABLE, servable.GATE, evaluation.for_gate(SERVABLE), None)
    judged = [GateVerdict(servable.GATE, loads)]
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
    improved = any(kind_of(g).improves and not g.dry_run for g in gates)
    return gate.reference is Reference.ANCHOR or kind_of(gate).rests(improved=improved)


def judge_gate(gate: Gate, evidence: GateEvidence | None, level: float | None = None) -> Outcome:
    """One gate against its evidence, with every slice that was asked for."""
    return _judge(kind_of(gate), gate, evidence, level)


def _judge(
    kind: GateKind, gate: Gate, evidence: GateEvidence | None, level: float | None
) -> Outcome:
    if evidence is None:
        return _missing(kind, gate, kind.missing(gate))
    whole = kind.judge(gate, evidence, level)
    if gate.slices is None:
        return whole
    if not evidence.slices:
        return _missing(kind, gate, f"no slice by {' and '.join(gate.slices.by)} was reported")
    children = tuple(_judge_slice(kind, gate, part, level) for part in evidence.slices)
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


def _judge_slice(
    kind: GateKind, gate: Gate, evidence: GateEvidence, level: float | None
) -> Outcome:
    name = ", ".join(f"{column}={value}" for column, value in evidence.slice.items())
    minimum = gate.slices.min_rows if gate.slices else 0
    if evidence.n < minimum:
        return Outcome(
            name=name,
            result=Result.SKIPPED,
            sentence=f"{evidence.n:,} rows, at least {minimum:,} are needed to judge it",
            values={"n": evidence.n},
        )
    outcome = kind.judge(gate, evidence, level)
    return Outcome(
        name=name, result=outcome.result, sentence=outcome.sentence, values=outcome.values
    )


def _missing(kind: GateKind, gate: Gate, why: str) -> Outcome:
    return Outcome(
        name=gate.name,
        result=Result.ERROR,
        sentence=f"{why}; needed: {kind.need(gate)}",
        line=gate.line or None,
    )
