"""Stored evidence held against gates that it was not measured for: what follows from it, and what nobody can know.

A worker measures exactly what a gate asks: its metric, its reference, its margin, its slices. Where the new gate
asks the same, the evidence is taken as it is. A threshold needs only the metric's value. Another margin leaves the
estimate known and bounds the p-values (a stricter one is never easier to meet); an absolute margin only shifts the
bounds, so there the answer is exact. For everything else there are alternatives, one for each result that is
possible, and the decision is taken with each of them: where all agree it is known, where not it is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import SERVABLE, Gate, Policy

Measure = Callable[[Evaluation, Sequence[Gate]], Mapping[str, GateEvidence]]
"""From an evaluation and gates that it was not asked for to the evidence of those that can be known all the same."""

_MOST = 243
"""Alternatives of one evaluation that are tried (five gates of which nothing is known)."""
_PROBLEM = "not measured in the recorded history"


@dataclass(frozen=True, slots=True)
class Possible:
    """Every evaluation that the record allows, and the sentences on what it lacks."""

    evaluations: tuple[Evaluation, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known for one gate: the evidence it may have had. One alternative: all is known."""

    alternatives: tuple[GateEvidence | None, ...]
    missing: str = ""


def possible(
    evaluation: Evaluation, measured: tuple[Gate, ...], policy: Policy, measure: Measure
) -> Possible:
    """``evaluation``, which was made for the gates ``measured``, as the gates of ``policy`` would have had it.

    ``measure`` is asked about the gates that the record does not settle.
    """
    if tuple(map(evidence_question, policy.promote)) == tuple(map(evidence_question, measured)):
        return Possible((evaluation,))
    by_gate = {gate.name: gate for gate in measured}
    kept = [item for item in evaluation.evidence if item.gate == SERVABLE]
    asked = [gate for gate in policy.promote if gate.name != SERVABLE]
    known = [_known(gate, by_gate, evaluation) for gate in asked]
    if unsettled := [gate for gate, item in zip(asked, known, strict=True) if item.missing]:
        found = measure(evaluation, unsettled)
        known = [
            _Known((found[gate.name],)) if gate.name in found else item
            for gate, item in zip(asked, known, strict=True)
        ]
    missing = tuple(item.missing for item in known if item.missing)
    combined = itertools.islice(itertools.product(*(item.alternatives for item in known)), _MOST)
    return Possible(
        tuple(
            replace(evaluation, evidence=(*kept, *(item for item in items if item is not None)))
            for items in combined
        ),
        missing,
    )


def evidence_question(gate: Gate) -> object:
    """What a worker is asked to measure for a gate; equal questions have equal evidence."""
    if gate.reference is None:
        return gate.name, gate.metric, gate.slices
    return (
        gate.name,
        gate.metric,
        gate.reference,
        _slack(gate),
        gate.test,
        gate.slices,
        gate.higher_is_better,
    )


def _slack(gate: Gate) -> tuple[float, bool]:
    """What is added to the loss before it is held against zero, and whether it is a share of the reference."""
    value = gate.comparison.question.margin_sign * gate.margin.value
    return (value, gate.margin.relative) if value else (0.0, False)


def _known(gate: Gate, measured: dict[str, Gate], evaluation: Evaluation) -> _Known:
    for source in _sources(gate, measured):
        evidence = evaluation.for_gate(source.name)
        if source.name == gate.name and evidence_question(source) == evidence_question(gate):
            return _Known((evidence,))
        if evidence is None:
            continue
        found = _from(gate, source, replace(evidence, gate=gate.name))
        if found is not None:
            return found
    return _nothing_known(gate, measured)


def _sources(gate: Gate, measured: dict[str, Gate]) -> Iterator[Gate]:
    """The measured gates of the same metric, the one of the same name first, then those with slices."""
    same = [source for source in measured.values() if source.metric == gate.metric]
    yield from sorted(same, key=lambda s: (s.name != gate.name, s.slices is None))


def _from(gate: Gate, source: Gate, evidence: GateEvidence) -> _Known | None:
    """What the evidence of ``source`` says about ``gate``; None where it says nothing."""
    if gate.slices is not None and not _covers(gate, source):
        return None
    if gate.reference is None:
        # The value itself is what counts; a comparison that could not be made leaves it as it is.
        problem = evidence.problem if source.reference is None else None
        parts = tuple(
            replace(part, problem=None if part.challenger is not None else part.problem)
            for part in (evidence.slices if gate.slices is not None else ())
        )
        return _Known((replace(evidence, problem=problem, slices=parts),))
    if gate.reference is not source.reference or gate.higher_is_better != source.higher_is_better:
        return None
    if evidence.problem is not None:
        return _Known((evidence,)) if _slack(gate) == _slack(source) else None
    ran = evidence.details.get("test")
    shifted = _slack(gate) != _slack(source)
    if gate.test not in {source.test, ran, "point"}:
        return None
    if not shifted:
        return _Known((evidence,))
    return _shift(gate, source, evidence)


def _covers(gate: Gate, source: Gate) -> bool:
    wanted, had = gate.slices, source.slices
    return (
        wanted is not None
        and had is not None
        and wanted.by == had.by
        and wanted.min_rows >= had.min_rows
    )


def _shift(gate: Gate, source: Gate, evidence: GateEvidence) -> _Known | None:
    """Another margin on the same rows."""
    (new, new_share), (old, old_share) = _slack(gate), _slack(source)
    if evidence.theta is None or evidence.reference is None or evidence.slices:
        return None
    scale = abs(evidence.reference)
    by = new * (scale if new_share else 1.0) - old * (scale if old_share else 1.0)
    moved = replace(evidence, theta=evidence.theta + by, needed_n=None)
    if gate.test == "point":
        return _Known((moved,))
    words = (
        f"gate '{gate.name}' asks for another margin than was tested, and whether {gate.metric} "
        "meets it with confidence was not measured"
    )
    if not new_share and not old_share:
        exact = _shifted_bounds(gate, moved, by)
        if exact is not None:
            return exact
    if new_share != old_share and new and old:
        return _Known(_by_estimate(moved, None), words)
    return _Known(_by_estimate(moved, by), words)


def _shifted_bounds(gate: Gate, moved: GateEvidence, by: float) -> _Known | None:
    """An absolute margin moves theta and its bounds alike; a bound that clears zero is the test at its level."""
    low, high = moved.details.get("theta_low"), moved.details.get("theta_high")
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    if moved.confidence != gate.confidence:
        return None
    level = round(1.0 - gate.confidence, 12)
    if high + by <= 0:  # at the gate's own level it passes; how far below that level is not known
        at_own = replace(moved, p_pass=level, p_fail=1.0)
        return _Known(
            (at_own, replace(moved, p_pass=0.0, p_fail=1.0)),
            f"gate '{gate.name}' passes at its own confidence; at the level of the error budget "
            "another margin was not measured",
        )
    return _Known((replace(moved, p_pass=1.0, p_fail=0.0 if low + by >= 0 else 1.0),))


def _by_estimate(moved: GateEvidence, by: float | None) -> tuple[GateEvidence, ...]:
    """The results that are possible: an estimate on the wrong side never passes, one on the right side never fails.

    ``by`` > 0 is a stricter margin: the p-value for passing only grows. None: neither stricter nor looser for certain.
    """
    theta = moved.theta or 0.0
    p_pass, p_fail = moved.p_pass, moved.p_fail
    best = 0.0 if by is None or by < 0 or p_pass is None else p_pass
    least = p_pass if by is not None and by < 0 and p_pass is not None else 1.0
    undecided = replace(moved, p_pass=least, p_fail=1.0)
    if theta <= 0:
        return undecided, replace(moved, p_pass=best, p_fail=1.0)
    surest = 0.0 if by is None or by > 0 or p_fail is None else p_fail
    slightest = p_fail if by is not None and by > 0 and p_fail is not None else 1.0
    return (
        replace(moved, p_pass=1.0, p_fail=slightest),
        replace(moved, p_pass=1.0, p_fail=surest),
    )


def _nothing_known(gate: Gate, measured: dict[str, Gate]) -> _Known:
    plain = GateEvidence(gate=gate.name, metric=gate.metric, method=_PROBLEM, n=10**9)
    outcomes = [_passing(gate, plain), replace(plain, problem=_PROBLEM)]
    # A value without a comparison is inconclusive, a comparison that goes the other way fails.
    outcomes.append(replace(plain, problem=_PROBLEM, challenger=0.0))
    if gate.slices is not None:
        outcomes = [replace(item, slices=(item,)) for item in outcomes]
    return _Known(tuple(outcomes), _why_nothing(gate, measured))


def _passing(gate: Gate, plain: GateEvidence) -> GateEvidence:
    value = gate.threshold if gate.threshold is not None else 0.0
    return replace(plain, challenger=value, theta=-1.0, p_pass=0.0, p_fail=1.0)


def _why_nothing(gate: Gate, measured: dict[str, Gate]) -> str:
    same = [source for source in measured.values() if source.metric == gate.metric]
    if not same:
        return f"gate '{gate.name}' asks for {gate.metric}, which was not measured"
    if gate.slices is not None and not any(_covers(gate, source) for source in same):
        by = " and ".join(gate.slices.by)
        return (
            f"gate '{gate.name}' asks for slices by {by} of at least {gate.slices.min_rows:,} "
            "rows, which were not measured"
        )
    if all(source.reference is not gate.reference for source in same):
        return f"gate '{gate.name}' compares with the {gate.reference}, which was not done"
    return f"gate '{gate.name}' asks something else of {gate.metric} than was measured"
