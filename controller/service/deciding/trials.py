"""What the last challengers gained on their champions, read from their evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import NormalDist

from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.metrics import is_lower_better
from controller.domain.rules import Gate, Policy, Reference
from controller.domain.snapshot import HoldoutUse, Trial
from controller.domain.versions import Version, VersionState
from controller.policy.gates import kind_of
from controller.ports import Transaction


def read_trials(tx: Transaction, policy: Policy) -> tuple[Trial, ...]:
    """The newest trials, oldest first; none unless the policy's ``unimproving`` asks for them."""
    section = policy.unimproving
    gate = next(
        (g for g in policy.promote if kind_of(g).improves and g.reference is Reference.CHAMPION),
        None,
    )
    if section is None or gate is None:
        return ()
    versions = tx.registry.versions(policy.model, limit=4 * section.after)
    evaluations = tx.registry.evaluations(policy.model, [v.number for v in versions])
    found = (_trial(v, evaluations.get(v.number), gate) for v in reversed(versions))
    return tuple(trial for trial in found if trial is not None)


def read_holdouts(
    tx: Transaction, policy: Policy, reports: Iterable[Evaluation]
) -> tuple[HoldoutUse, ...]:
    """What the holdouts of challengers in play judged before; none unless the policy budgets its holdouts.

    Holdouts are the same when the digests of their rows are.
    """
    budget = policy.error_budget
    if budget is None or budget.holdout_steps is None:
        return ()
    versions = tx.registry.versions(policy.model, limit=4 * budget.holdout_steps + 20)
    evaluations = dict(tx.registry.evaluations(policy.model, [v.number for v in versions]))
    promoted = {v.number for v in versions if v.promoted_at is not None}
    judged_now = {v.number for v in versions if v.state is VersionState.CHALLENGER}
    judged_now |= {report.version for report in reports}
    evaluations |= {report.version: report for report in reports}
    return tuple(
        _use(number, evaluations, promoted) for number in sorted(judged_now & set(evaluations))
    )


def _use(number: int, evaluations: Mapping[int, Evaluation], promoted: set[int]) -> HoldoutUse:
    own = evaluations[number].holdout
    earlier = [
        other
        for other, evaluation in evaluations.items()
        if other < number
        and own is not None
        and own.digest is not None
        and evaluation.holdout is not None
        and evaluation.holdout.digest == own.digest
    ]
    passes = sum(other in promoted for other in earlier)
    return HoldoutUse(version=number, evaluations=len(earlier), passes=passes)


def _trial(version: Version, evaluation: Evaluation | None, gate: Gate) -> Trial | None:
    if evaluation is None or evaluation.champion is None:
        return None
    evidence = evaluation.for_gate(gate.name)
    gain = _gain(gate, evidence) if evidence is not None else None
    if gain is None:
        return None
    return Trial(
        version=version.number,
        recipe=version.recipe,
        gain=gain[0],
        error=gain[1],
        at=version.created_at,
        seconds=version.metrics.get("training_seconds", 0.0),
    )


def _gain(gate: Gate, evidence: GateEvidence) -> tuple[float, float] | None:
    """Relative gain and its standard error: the method's own, else from the bounds of the interval."""
    if evidence.difference is None or not evidence.reference:
        return None
    error = _error(evidence)
    if error is None:
        return None
    sign = -1.0 if is_lower_better(gate.metric, higher_is_better=gate.higher_is_better) else 1.0
    scale = abs(evidence.reference)
    return sign * evidence.difference / scale, error / scale


def _error(evidence: GateEvidence) -> float | None:
    given = evidence.details.get("standard_error")
    if isinstance(given, (int, float)):
        return float(given)
    low, high = evidence.interval_low, evidence.interval_high
    if low is None or high is None:
        return None
    return (high - low) / (2 * NormalDist().inv_cdf(evidence.confidence))
