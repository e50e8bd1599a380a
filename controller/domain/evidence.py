"""What a worker found out about a challenger: numbers only, ready to be compared with a policy.

Nothing here is computed by the control plane. A number that could not be had is None and ``problem`` says why
in one sentence; such evidence never passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from controller.domain.canonical import digest

STATISTICAL_TESTS: Final[Mapping[str, str]] = {
    "auto": "chosen from the data",
    "bootstrap": "paired BCa bootstrap",
    "t": "paired jackknife against Student's t",
    "normal": "paired normal interval",
    "wild_cluster": "wild cluster bootstrap-t over blocks",
    "mcnemar": "exact McNemar test",
    "diebold_mariano": "Diebold-Mariano test, Harvey-Leybourne-Newbold correction",
    "confidence_sequence": "normal-mixture confidence sequence, valid at every look",
    "point": "bare numbers, no test",
}
"""The tests that a gate may name, and what they are called where they are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateEvidence:
    """The measurement that one gate asked for.

    ``challenger`` and ``reference`` are values of ``metric``; ``difference`` is challenger − reference with the
    bounds ``interval_low`` and ``interval_high``, each of which holds with ``confidence`` on its own (a gate asks
    on one side; both together cover 2·confidence − 1). ``theta`` is the statistic after the margin,
    signed so that the need is met where theta < 0; ``p_pass`` is the one-sided p-value against theta ≥ 0 and ``p_fail``
    the one against theta ≤ 0. ``reference_name`` says who was held against it ("champion v3", "training
    median"). ``needed_n`` is the number of rows that would have decided an inconclusive test.
    """

    gate: str
    metric: str
    method: str
    challenger: float | None = None
    reference: float | None = None
    reference_name: str = ""
    difference: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None
    confidence: float = 0.95
    theta: float | None = None
    p_pass: float | None = None
    p_fail: float | None = None
    n: int = 0
    n_dropped: int = 0
    blocks: int | None = None
    needed_n: int | None = None
    seed: int | None = None
    resamples: int | None = None
    problem: str | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    slices: tuple[GateEvidence, ...] = ()
    notes: tuple[str, ...] = ()
    """What was assumed or left out, a sentence each (why this method, which class is positive)."""
    details: Mapping[str, float | int | str | None] = field(default_factory=dict)
    """Further numbers of the method by name, such as ``standard_error``, ``detectable`` or ``mcnemar_p``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldoutView:
    """The rows that a challenger was judged on."""

    rows: int
    labelled: int
    start: datetime | None = None
    end: datetime | None = None
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluation run's result. ``champion`` is the version that was seen in the seat, None if it was empty.

    ``predictions`` is the digest of the stored per-example predictions from which all can be computed again. Without
    slots, so that its digest is computed once.
    """

    run: str
    version: int
    champion: int | None
    evidence: tuple[GateEvidence, ...]
    holdout: HoldoutView | None = None
    anchor: int | None = None
    predictions: str | None = None
    evaluated_at: datetime | None = None
    problem: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def for_gate(self, name: str) -> GateEvidence | None:
        """The evidence that belongs to the gate called ``name``."""
        return next((item for item in self.evidence if item.gate == name), None)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its canonical form: what an approval names, so that it counts for nothing else."""
        return digest(self)
