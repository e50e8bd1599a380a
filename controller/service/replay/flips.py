"""Flip points: the smallest change of one setting of a gate by which the decision would have come out otherwise.

Every answer is given by the one decision function on the stored snapshot. A *threshold* and a *confidence* are simply
exchanged. A *margin* is inside the evidence, so the bounds stand for it: at the gate's own level a need is met just
where the gain's lower bound passes it. Where an error budget judges at a stricter level than the gate's own, bounds
say nothing, and no margin is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.domain.decisions import Decision, DecisionRecord, Outcome, Verdict
from controller.domain.errors import IncumbentError
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.metrics import is_lower_better
from controller.domain.rules import Gate, Margin, Policy
from controller.domain.snapshot import Snapshot
from controller.policy.gates import kind_of
from controller.policy.phrase import format_number, listing, margin, percent
from controller.service.replay.simulate import RecordedMoment

_NUDGE = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """``gates`` would have to have ``setting`` (threshold, confidence or margin) changed as ``change`` says; then the
    verdict is ``verdict``. ``far`` is the size of the change relative to the setting, for sorting.
    """

    gates: tuple[str, ...]
    setting: str
    change: str
    verdict: str
    reason: str
    far: float


@dataclass(frozen=True, slots=True)
class _Change:
    gate: Gate
    passes: bool
    setting: str
    words: str
    far: float
    at: Gate | None = None
    """The gate as it would read; None: its evidence is exchanged instead."""


def flips(record: DecisionRecord, policy: Policy) -> list[Flip]:
    """Single changes that turn the verdict, the smallest first; where none promotes, all blocking gates at once too.

    Empty where the decision judged nobody, or cannot be read.
    """
    try:
        moment = RecordedMoment.of(record)
        actual = moment.decide(policy)
    except (IncumbentError, ValueError):
        return []
    judged = _judged(moment.snapshot, actual)
    if judged is None:
        return []
    case = _Asked(moment, policy, actual, judged)
    options = [list(_changes(gate, judged, case)) for gate in policy.promote if not gate.dry_run]
    found = [flip for changes in options for one in changes if (flip := case.ask((one,)))]
    won = {Verdict.PROMOTE, Verdict.ADVANCE}
    if not won & {actual.verdict, *(flip.verdict for flip in found)}:
        blocking = [changes[0] for changes in options if changes and changes[0].passes]
        together = case.ask(tuple(blocking)) if len(blocking) > 1 else None
        found += [together] if together else []
    return sorted(found, key=lambda flip: flip.far)


def _judged(snapshot: Snapshot, actual: Decision) -> Evaluation | None:
    """The evaluation that the decision judged its challenger by."""
    number_ = actual.challenger
    fresh = next((e for e in snapshot.evaluations if e.version == number_), None)
    if fresh is not None:
        return fresh
    version = snapshot.version(number_) if number_ is not None else None
    return version.evaluation if version else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The decision function, asked about the same moment with something changed."""

    moment: RecordedMoment
    policy: Policy
    actual: Decision
    judged: Evaluation

    def ask(self, changes: tuple[_Change, ...]) -> Flip | None:
        """The flip, if the verdict is another one then."""
        at = {c.gate.name: c.at for c in changes if c.at is not None}
        rules = replace(
            self.policy, promote=tuple(at.get(g.name) or g for g in self.policy.promote)
        )
        shifted = {c.gate.name: c.passes for c in changes if c.at is None}
        evidence = replace(
            self.judged,
            evidence=tuple(
                _shifted(e, passes=shifted[e.gate]) if e.gate in shifted else e
                for e in self.judged.evidence
            ),
        )
        exchanged = {evidence.run: evidence} if shifted else {}
        try:
            then = self.moment.with_evidence(exchanged).decide(rules)
        except IncumbentError:
            return None
        before = (self.actual.verdict, self.actual.champion_after)
        if (then.verdict, then.champion_after) == before:
            return None
        return Flip(
            gates=tuple(c.gate.name for c in changes),
            setting=listing(list(dict.fromkeys(c.setting for c in changes))),
            change="; ".join(c.words if len(changes) == 1 else f"{c.gate.name}: {c.words}" for c in changes),
            verdict=then.verdict.value,
            reason=then.reason,
            far=max(c.far for c in changes),
        )  # fmt: skip


def _changes(gate: Gate, evaluation: Evaluation, case: _Asked) -> Iterator[_Change]:
    """What could be changed of one gate so that it comes out the other way."""
    evidence = evaluation.for_gate(gate.name)
    if evidence is None or evidence.challenger is None or evidence.problem is not None:
        return
    passes = next((n.result == "pass" for n in _gate_nodes(case.actual) if n.name == gate.name), None)  # fmt: skip
    if passes is None:
        return
    if gate.threshold is not None:
        yield _threshold(gate, evidence.challenger, passes=not passes)
        return
    parts = _parts(gate, evidence)
    if gate.test != "point":
        p = [part.p_pass for part in parts if part.p_pass is not None]
        if len(p) == len(parts):
            yield from _confidence(gate, max(p), passes=not passes)
    node = next(n for n in _gate_nodes(case.actual) if n.name == gate.name)
    alpha = node.values.get("alpha")
    if gate.test == "point" or alpha is None or alpha >= round(1.0 - gate.confidence, 12):
        yield from _margin(gate, parts, passes=not passes)


def _gate_nodes(decision: Decision) -> tuple[Outcome, ...]:
    judged = next((n for n in decision.tree.children if n.name == "promote"), None)
    return judged.children if judged else ()


def _parts(gate: Gate, evidence: GateEvidence) -> list[GateEvidence]:
    """The whole, and the slices that have enough rows to be judged."""
    least = gate.slices.min_rows if gate.slices else 0
    return [evidence, *(part for part in evidence.slices if gate.slices and part.n >= least)]


def _threshold(gate: Gate, value: float, *, passes: bool) -> _Change:
    point, now = kind_of(gate).flip, gate.threshold or 0.0
    way, side = (-point.sign, point.short_of) if passes else (point.sign, point.beyond)
    if passes is point.inclusive:  # the measured value itself turns it
        way, side = 0.0, ""
    beyond = value + way * max(abs(value), 1.0) * _NUDGE
    return _Change(
        gate=gate,
        passes=passes,
        setting="threshold",
        words=f"{point.key}: {format_number(now)} → {side}{format_number(value)}",
        far=abs(value - now) / (abs(now) or 1.0),
        at=replace(gate, threshold=beyond),
    )


def _confidence(gate: Gate, p: float, *, passes: bool) -> Iterator[_Change]:
    """The level at which the worst p-value just passes, or just does not any more."""
    level = 1.0 - p
    if (passes and level < 0.5) or (not passes and level >= 1.0):
        return
    at = level - _NUDGE if passes else level + min(_NUDGE, p / 2)
    words = f"confidence: {percent(gate.confidence)} → {'' if passes else 'above '}{percent(int(level * 1e4) / 1e4)}"
    yield _Change(
        gate=gate,
        passes=passes,
        setting="confidence",
        words=words,
        far=abs(level - gate.confidence) / gate.confidence,
        at=replace(gate, confidence=at),
    )


def _margin(gate: Gate, parts: list[GateEvidence], *, passes: bool) -> Iterator[_Change]:
    """The margin that the bounds of the gain would just have met, in the unit that the policy writes it in."""
    found = [_reach(gate, part) for part in parts]
    reached = [value for value in found if value is not None]
    if len(reached) != len(parts):
        return
    point = kind_of(gate).flip
    at = point.sign * min(reached)
    if at < 0:  # no margin that can be written would do
        return
    new, now = Margin(value=at, relative=gate.margin.relative), gate.margin
    beyond = "" if passes else point.beyond
    yield _Change(
        gate=gate,
        passes=passes,
        setting="margin",
        words=f"{point.key}: {margin(now) if now.value else '0'} → {beyond}{margin(new) if new.value else '0'}",
        far=abs(at - now.value) / (now.value or abs(at) or 1.0),
    )


def _reach(gate: Gate, part: GateEvidence) -> float | None:
    """The largest need that this part's lower bound (the bare gain, where nothing is tested) passes."""
    lower = is_lower_better(gate.metric, higher_is_better=gate.higher_is_better)
    sign = -1.0 if lower else 1.0
    if part.difference is None:
        return None
    gain = sign * part.difference
    if gate.test != "point":
        ends = [end for end in (part.interval_low, part.interval_high) if end is not None]
        if len(ends) != 2:
            return None
        gain = min(sign * end for end in ends)
    if not gate.margin.relative:
        return gain
    return gain / abs(part.reference) if part.reference else None


def _shifted(evidence: GateEvidence, *, passes: bool) -> GateEvidence:
    """The evidence as it would be beyond the bound: the need is met clearly, or clearly not."""
    theta, p = (-1.0, 0.0) if passes else (1.0, 1.0)
    changed = replace(evidence, theta=theta, p_pass=p, p_fail=0.5)
    return replace(changed, slices=tuple(_shifted(s, passes=passes) for s in evidence.slices))
