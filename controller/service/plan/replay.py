"""One recorded decision, taken again by the old and by the new rules from the state that was recorded with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, product
from typing import Any

from controller.domain import decisions as taken
from controller.domain.canonical import digest
from controller.domain.decisions import Decision, Result, StartRun
from controller.domain.evidence import Evaluation
from controller.domain.rules import Gate, Policy
from controller.domain.runs import RunKind
from controller.domain.signals import Signal, SignalKind
from controller.domain.snapshot import BudgetView, Snapshot
from controller.domain.versions import VersionState
from controller.policy.approvals import as_if_asked_by
from controller.policy.decide import decide
from controller.service.plan.evidence import possible
from controller.service.plan.report import PlannedOutcome, Replayed

MeasuredFor = Callable[[str], tuple[Gate, ...]]
"""From an evaluation run to the gates that it was ordered for."""

_IN_PLAY = frozenset({VersionState.CANDIDATE, VersionState.CHALLENGER})
_MOST = 243
_SHOWN = (
    "metric",
    "challenger",
    "reference",
    "reference_name",
    "difference",
    "interval_low",
    "interval_high",
    "confidence",
    "n",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedMoment:
    """What was recorded: the decision's number and time, the snapshot, and the rules that acted then."""

    decision: int
    at: datetime
    snapshot: Snapshot
    rules: Policy | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """Every decision that one side may have come to, and what the record lacks to tell them apart."""

    decisions: tuple[Decision, ...]
    missing: tuple[str, ...]

    @property
    def outcomes(self) -> tuple[PlannedOutcome, ...]:
        return tuple(dict.fromkeys(map(outcome_of, self.decisions)))


def replay(
    moment: RecordedMoment, old: Policy, new: Policy, measured_for: MeasuredFor
) -> Replayed | None:
    """How the decision comes out by both; None where it is the same for certain."""
    before = _take(moment, old, measured_for)
    after = _take(moment, new, measured_for)
    if before.outcomes == after.outcomes and len(after.outcomes) == 1:
        return None
    by_old, by_new = before.decisions[0], _differing(before, after)
    because, evidence = _because(by_old, by_new)
    missing = before.missing if len(before.outcomes) > 1 else ()
    missing += after.missing if len(after.outcomes) > 1 else ()
    found = Replayed(
        decision=moment.decision,
        decided_at=moment.at,
        old=before.outcomes,
        new=after.outcomes,
        because=because,
        evidence=evidence,
        missing=tuple(dict.fromkeys(missing)),
        challenger=by_new.challenger or by_old.challenger,
    )
    if not found.flips:
        return replace(found, because="; ".join(found.missing) or because)
    return found


def outcome_of(decision: Decision) -> PlannedOutcome:
    """The part of a decision that makes a difference to anybody."""
    started = (
        action.spec.recipe
        for action in decision.actions
        if isinstance(action, StartRun) and action.spec.kind is RunKind.TRAIN
    )
    return PlannedOutcome(
        verdict=decision.verdict.value,
        champion_after=decision.champion_after,
        trains=next(started, None),
    )


def _take(moment: RecordedMoment, policy: Policy, measured_for: MeasuredFor) -> _Taken:
    variants, missing = _variants(moment, policy, measured_for)
    return _Taken(
        tuple(decide(snapshot, policy, moment.at) for snapshot in variants), tuple(missing)
    )


def _differing(before: _Taken, after: _Taken) -> Decision:
    """The new decision to explain: one that comes out otherwise, if there is one."""
    old = set(before.outcomes)
    return next((d for d in after.decisions if outcome_of(d) not in old), after.decisions[0])


def _variants(
    moment: RecordedMoment, policy: Policy, measured_for: MeasuredFor
) -> tuple[list[Snapshot], list[str]]:
    """The snapshot as the rules would have found it: one, or one for each thing that the record leaves open."""
    asked = as_if_asked_by(policy.approval, moment.snapshot.approvals)
    snapshot = replace(moment.snapshot, approvals=asked)
    missing: list[str] = []
    choices: list[tuple[Evaluation, ...]] = []
    originals = list(_judged(snapshot))
    for original in originals:
        found = possible(original, measured_for(original.run), policy)
        choices.append(found.evaluations)
        missing += found.missing
    variants = [
        _exchange(snapshot, dict(zip((o.run for o in originals), chosen, strict=True)), originals)
        if any(c is not o for c, o in zip(chosen, originals, strict=True))
        else snapshot
        for chosen in islice(product(*choices), _MOST)
    ]
    if originals and _book_is_missing(moment, policy):
        missing.append("the book of the error budget was not kept under the rules of then")
        variants = [replace(v, budget=book) for v in variants for book in _books(v.budget)]
    return variants, missing


def _judged(snapshot: Snapshot) -> Iterator[Evaluation]:
    """The evaluations that a decision may look at: fresh reports, and those of versions in play."""
    seen: set[str] = set()
    stored = (v.evaluation for v in snapshot.versions if v.state in _IN_PLAY)
    for evaluation in (*snapshot.evaluations, *stored):
        if evaluation is not None and evaluation.run not in seen:
            seen.add(evaluation.run)
            yield evaluation


def _exchange(
    snapshot: Snapshot, chosen: Mapping[str, Evaluation], originals: list[Evaluation]
) -> Snapshot:
    """Other evidence in the place of the recorded one; what people said of the old they said of the new."""
    exchanged = replace(
        snapshot,
        evaluations=tuple(chosen.get(e.run, e) for e in snapshot.evaluations),
        versions=tuple(
            replace(v, evaluation=chosen[v.evaluation.run])
            if v.evaluation is not None and v.state in _IN_PLAY and v.evaluation.run in chosen
            else v
            for v in snapshot.versions
        ),
    )
    spoken = [s for s in snapshot.signals if s.kind is SignalKind.APPROVAL]
    if not spoken and not snapshot.approvals:
        return exchanged
    now = {digest(o): digest(chosen[o.run]) for o in originals}
    return replace(
        exchanged,
        approvals=tuple(
            replace(a, evidence=now.get(a.evidence, a.evidence)) for a in snapshot.approvals
        ),
        signals=tuple(
            replace(s, payload={**s.payload, "evidence": now.get(seen, seen)})
            if (seen := _approved(s))
            else s
            for s in snapshot.signals
        ),
    )


def _approved(signal: Signal) -> str:
    """The digest of the evidence that an approval speaks of; empty for every other signal."""
    if signal.kind is not SignalKind.APPROVAL:
        return ""
    return str(signal.payload.get("evidence") or "")


def _book_is_missing(moment: RecordedMoment, policy: Policy) -> bool:
    """Whether the rules need tests counted that the rules of then did not count."""
    if policy.error_budget is None:
        return False
    return moment.rules is None or moment.rules.error_budget is None


def _books(book: BudgetView) -> tuple[BudgetView, ...]:
    """The ends of what the book could hold: no test yet, many in vain, and many that all promoted."""
    many = 10_000
    return book, replace(book, tests=many), replace(book, tests=100, rejections=tuple(range(100)))


def _because(old: Decision, new: Decision) -> tuple[str, dict[str, dict[str, Any]]]:
    """The sentence of the gate or trigger that made the difference, and the numbers that it compared."""
    before, after = _parts(old), _parts(new)
    words: list[str] = []
    evidence: dict[str, dict[str, Any]] = {}
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        if was is not None and now is not None and was.result is now.result:
            continue
        node = now or was
        if node is None or (now is None and _harmless(was)) or (was is None and _harmless(now)):
            continue
        words.append(_word(key, was, now))
        if node.values.get("metric"):
            evidence[key[1]] = {name: node.values.get(name) for name in _SHOWN}
    return "; ".join(words) or new.reason, evidence


def _harmless(node: taken.Outcome | None) -> bool:
    """A gate that passes or a trigger that does not fire changes nothing by coming or going."""
    return node is not None and node.result in {Result.PASS, Result.INACTIVE}


def _word(key: tuple[str, str], was: taken.Outcome | None, now: taken.Outcome | None) -> str:
    noun, name = key
    if was is None and now is not None:
        return f"{noun} '{name}' is new: {now.result.value}, {now.sentence}"
    if now is None and was is not None:
        return f"{noun} '{name}' is gone; it said {was.result.value}: {was.sentence}"
    if was is None or now is None:
        return ""
    return f"{noun} '{name}' says {now.result.value}, not {was.result.value}: {now.sentence}"


def _parts(decision: Decision) -> dict[tuple[str, str], taken.Outcome]:
    """The gates, triggers and conditions that the decision judged, by noun and name."""
    nouns = {"promote": "gate", "train": "trigger", "watch": "condition", "rollback": "condition"}
    return {
        (nouns.get(node.name, node.name), child.name): child
        for node in decision.tree.children
        for child in node.children
    }
