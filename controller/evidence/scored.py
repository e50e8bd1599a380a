"""From the stored predictions of an evaluation to the evidence of each gate.

Workers build evidence with it, and ``verify --evidence`` builds it again from the same rows: what is not in
:class:`Scored`, the gates and the run's name has no influence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.domain.evidence import GateEvidence
from controller.domain.metrics import Metric, PredictionType, find_metric
from controller.domain.rules import Gate, Reference
from controller.evidence.compare import Options, compare_models
from controller.evidence.inputs import Unusable
from controller.evidence.need import Question

PLUGIN = "plugin"
"""In the details of evidence: the package whose metric it rests on. Only a worker computes it."""

CHANGE_TOLERANCE = 0.1
"""Numbers count as changed if they differ by more than this share of the standard deviation of the champion's."""


@dataclass(frozen=True, kw_only=True)
class OwnMetric:
    """A metric that a package of the team brings: the mean of what ``loss(y, predictions)`` gives, (rows,).

    ``problem`` says why it cannot be used; ``package`` is who brings it.
    """

    metric: Metric
    package: str
    loss: Callable[[Any, Any], Any] | None = None
    problem: str = ""

    def of_rows(self, y: npt.NDArray[Any], answers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Its value of each row; Unusable with a sentence if it gives no finite number for each."""
        who = f"{self.metric.name} of {self.package}"
        if self.problem or self.loss is None:
            raise Unusable(self.problem or f"{who} has no loss")
        try:
            values = np.asarray(self.loss(y.copy(), answers.copy()), dtype=np.float64)
        except Exception as error:
            raise Unusable(f"{who} raised {type(error).__name__}: {error}") from error
        if values.shape != (len(y),):
            raise Unusable(
                f"{who} gave the shape {values.shape} for {len(y):,} rows, one number a row is needed"
            )
        if not np.isfinite(values).all():
            raise Unusable(
                f"{who} gave what is no finite number for {int((~np.isfinite(values)).sum()):,} rows"
            )
        return values

    def misread(self, gate: Gate) -> str:
        """What the policy says of its direction, where that is the opposite; else empty."""
        lower = not gate.higher_is_better
        if gate.reference is None or lower is self.metric.lower_is_better:
            return ""
        higher = str(not self.metric.lower_is_better).lower()
        return (
            f"{self.package} says the opposite of the policy: write "
            f"`metrics: {{{self.metric.name}: {{higher_is_better: {higher}}}}}`"
        )


@dataclass(frozen=True, kw_only=True)
class ScoredSide:
    """One version's answers, a row each. ``probabilities`` has a column for each of ``classes``."""

    name: str
    values: npt.NDArray[Any] | None = None
    probabilities: npt.NDArray[np.float64] | None = None
    classes: tuple[Any, ...] | None = None
    problem: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Operational metrics by name (``latency_ms_p95``, ``model_size_bytes`` …)."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The rows of one evaluation. ``sides`` by role: challenger, and champion or anchor where there is one.

    ``baseline`` is what a constant guess would be: ``median``, ``mean``, ``majority``, ``last``, ``shares``.
    """

    run: str
    y: npt.NDArray[Any]
    sides: Mapping[str, ScoredSide]
    baseline: Mapping[str, Any]
    time: npt.NDArray[Any] | None = None
    groups: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    own: Mapping[str, OwnMetric] = field(default_factory=dict)
    """Metrics of the team's own, by name."""


def seed_of(run: str, gate: str) -> int:
    """The seed of a gate's resampling: from names alone, so that it can be derived again."""
    return int(hashlib.sha256(f"{run}:{gate}".encode()).hexdigest()[:8], 16)


def gate_evidence(scored: Scored, gate: Gate) -> GateEvidence:
    """The evidence that ``gate`` asks for. Never raises for wrong input: see ``problem``."""
    metric = find_metric(gate.metric)
    reference = reference_of(scored, gate)
    if metric is not None and metric.operational:
        return _operational(scored, gate, reference)
    whole = _compared(scored, gate, reference, np.ones(len(scored.y), dtype=bool), gate.name)
    own = scored.own.get(gate.metric)
    if own is not None:
        whole = replace(whole, details={**whole.details, PLUGIN: own.package})
    if gate.slices is None:
        return whole
    return replace(whole, slices=_slices(scored, gate, reference))


def reference_of(scored: Scored, gate: Gate) -> ScoredSide | None:
    """Whom the challenger is held against; an empty seat is replaced by the best constant guess."""
    if gate.reference is None:
        return None
    wanted = {Reference.CHAMPION: ("champion",), Reference.ANCHOR: ("anchor", "champion")}
    for role in wanted.get(gate.reference, ()):
        if role in scored.sides:
            return scored.sides[role]
    if gate.reference in {Reference.CHAMPION, Reference.ANCHOR, Reference.BASELINE}:
        return _constant(scored, gate)
    return ScoredSide(
        name=gate.reference.value,
        problem=f"a gate cannot compare with {gate.reference.value}, which has no predictions here",
    )


def _constant(scored: Scored, gate: Gate) -> ScoredSide:
    held, rows = scored.baseline, len(scored.y)
    if gate.test == "diebold_mariano" and "last" in held:
        return ScoredSide(name="last training value", values=np.full(rows, held["last"]))
    return constant_guess(scored, find_metric(gate.metric), rows)


def constant_guess(scored: Scored, metric: Metric | None, rows: int) -> ScoredSide:
    """The guess that is best for the metric among constants: median, mean, majority, frequencies; ``rows`` times."""
    held = scored.baseline
    kind = metric.prediction if metric else PredictionType.VALUE
    if kind.graded and "shares" in held:
        pairs = sorted(held["shares"], key=lambda pair: (str(type(pair[0])), pair[0]))
        shares = np.tile([share for _, share in pairs], (rows, 1)).astype(np.float64)
        classes = tuple(value for value, _ in pairs)
        return ScoredSide(name="training frequencies", probabilities=shares, classes=classes)
    if kind is PredictionType.LABEL and "majority" in held:
        return ScoredSide(name="training majority", values=np.full(rows, held["majority"]))
    absolute = {"mae", "median_absolute_error", "mape", "smape", "wape", "pinball"}
    named = metric.name if metric else ""
    name = "mean" if named not in absolute and "mean" in held else "median"
    if name in held:
        return ScoredSide(name=f"training {name}", values=np.full(rows, float(held[name])))
    return ScoredSide(
        name="baseline", problem="the training labels give no constant to compare with"
    )


def _compared(
    scored: Scored,
    gate: Gate,
    reference: ScoredSide | None,
    chosen: npt.NDArray[np.bool_],
    seed_name: str,
) -> GateEvidence:
    challenger = scored.sides["challenger"]
    named = reference.name if reference else ""
    if misread := scored.own[gate.metric].misread(gate) if gate.metric in scored.own else "":
        return _nothing(gate, named, misread)
    for side in (challenger, reference):
        if side is not None and side.problem:
            return _nothing(gate, named, f"{side.name}: {side.problem}")
    answers = [None if side is None else _answers(gate, side) for side in (challenger, reference)]
    if answers[0] is None or (reference is not None and answers[1] is None):
        return _nothing(gate, named, f"{gate.metric} needs probabilities, and there are none")
    own = scored.own.get(gate.metric)
    question = Question(
        metric=gate.metric,
        known=own.metric if own else None,
        comparison=gate.comparison,
        margin=gate.margin.value,
        relative=gate.margin.relative,
        threshold=gate.threshold,
    )
    options = Options(
        test=gate.test,
        confidence=gate.confidence,
        time=None if scored.time is None else scored.time[chosen],
        horizon=1 if gate.test == "diebold_mariano" else None,
        classes=challenger.classes if _wants_probabilities(gate) else None,
        seed=seed_of(scored.run, seed_name),
    )
    rows = [None if answer is None else answer[chosen] for answer in answers]
    y = scored.y[chosen]
    if own is not None:
        try:
            rows = [None if answers is None else own.of_rows(y, answers) for answers in rows]
        except Unusable as error:
            return _nothing(gate, named, str(error))
        y = y if y.dtype.kind in "fiu" else np.unique(y.astype(str), return_inverse=True)[1]
    found = compare_models(y, rows[0], rows[1], question, options)
    return replace(found, gate=gate.name, reference_name=named)


def _wants_probabilities(gate: Gate) -> bool:
    metric = find_metric(gate.metric)
    return metric is not None and metric.prediction.graded


def _answers(gate: Gate, side: ScoredSide) -> npt.NDArray[Any] | None:
    return side.probabilities if _wants_probabilities(gate) else side.values


def _nothing(gate: Gate, reference: str, problem: str) -> GateEvidence:
    return GateEvidence(
        gate=gate.name,
        metric=gate.metric,
        method="",
        reference_name=reference,
        confidence=gate.confidence,
        problem=problem,
    )


# --- slices -------------------------------------------------------------------------------------------------


def _slices(scored: Scored, gate: Gate, reference: ScoredSide | None) -> tuple[GateEvidence, ...]:
    """One piece of evidence for each value (or pair of values), the worst first; small ones are only counted."""
    if gate.slices is None:
        return ()
    columns = [scored.groups[name] for name in gate.slices.by if name in scored.groups]
    if len(columns) < len(gate.slices.by):
        return ()
    texts = [np.array([str(value) for value in column]) for column in columns]
    labels = np.array(["\x1f".join(parts) for parts in zip(*texts, strict=True)])
    found = []
    for label in np.unique(labels):
        chosen = labels == label
        named = dict(zip(gate.slices.by, str(label).split("\x1f"), strict=True))
        if int(chosen.sum()) < gate.slices.min_rows:
            part = replace(_nothing(gate, "", "too few rows"), n=int(chosen.sum()))
        else:
            part = _compared(scored, gate, reference, chosen, f"{gate.name}:{label}")
        found.append(replace(part, slice=named))
    return tuple(sorted(found, key=_badness))


def _badness(part: GateEvidence) -> tuple[bool, float]:
    return part.theta is None, -(part.theta if part.theta is not None else 0.0)


# --- what is measured, not computed from labels --------------------------------------------------------------


def _operational(scored: Scored, gate: Gate, reference: ScoredSide | None) -> GateEvidence:
    challenger = scored.sides["challenger"]
    named = reference.name if reference else ""
    if challenger.problem:
        return _nothing(gate, named, f"{challenger.name}: {challenger.problem}")
    if gate.metric == "prediction_change_rate":
        return _change(scored, gate)
    value = challenger.measured.get(gate.metric)
    if value is None:
        return _nothing(gate, named, f"{gate.metric} was not measured")
    other = reference.measured.get(gate.metric) if reference else gate.threshold
    if other is None:
        return _nothing(gate, named, f"{gate.metric} of {named} was not measured")
    question = gate.comparison.question
    slack = gate.margin.value * (abs(other) if gate.margin.relative else 1.0)
    return GateEvidence(
        gate=gate.name,
        metric=gate.metric,
        method="measured on the model",
        challenger=value,
        reference=other,
        reference_name=named,
        difference=value - other,
        theta=question.turned(value - other) + question.margin_sign * slack,
        confidence=gate.confidence,
        n=int(challenger.measured.get("latency_samples", 0)),
    )


def _change(scored: Scored, gate: Gate) -> GateEvidence:
    """The share of rows on which the challenger's prediction differs from the champion's."""
    champion, challenger = scored.sides.get("champion"), scored.sides["challenger"]
    if champion is None:
        blank = _nothing(gate, "", "")
        note = "There is no champion, so no prediction changes."
        return replace(
            blank,
            problem=None,
            method="compared",
            challenger=0.0,
            reference=gate.threshold,
            notes=(note,),
        )
    if champion.problem or champion.values is None or challenger.values is None:
        return _nothing(
            gate, champion.name, f"{champion.name}: {champion.problem or 'no predictions'}"
        )
    new, old = challenger.values, champion.values
    note = "Predictions count as changed where they differ."
    if old.dtype.kind == "f" or new.dtype.kind == "f":
        tolerance = CHANGE_TOLERANCE * float(np.std(old.astype(np.float64)))
        changed = ~(np.abs(new.astype(np.float64) - old.astype(np.float64)) <= tolerance)
        note = (
            f"Predictions count as changed where they differ by more than {tolerance:.4g}, "
            f"{CHANGE_TOLERANCE:.0%} of the standard deviation of the champion's."
        )
    else:
        changed = new != old
    rate = float(np.mean(changed))
    threshold = gate.threshold if gate.threshold is not None else 0.0
    return GateEvidence(
        gate=gate.name,
        metric=gate.metric,
        method="compared",
        challenger=rate,
        reference=gate.threshold,
        reference_name=champion.name,
        difference=rate - threshold,
        theta=rate - threshold,
        confidence=gate.confidence,
        n=len(new),
        notes=(note,),
    )


def all_evidence(scored: Scored, gates: Sequence[Gate]) -> tuple[GateEvidence, ...]:
    """The evidence of every gate, in their order."""
    return tuple(gate_evidence(scored, gate) for gate in gates)
