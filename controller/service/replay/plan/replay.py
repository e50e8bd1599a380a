"""One recorded decision, taken again by the old and by the new rules from the state that was recorded with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any

from controller.domain import decisions as taken
from controller.domain.canonical import to_plain
from controller.domain.decisions import Decision, Result, StartRun
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import Gate, Policy
from controller.domain.runs import RunKind
from controller.domain.snapshot import BudgetView, Snapshot
from controller.domain.versions import UNDECIDED
from controller.service.replay.plan.evidence import Measure, possible
from controller.service.replay.plan.report import PlannedOutcome, Replayed
from controller.service.replay.simulate import RecordedMoment
from controller.service.replay.simulate.watched import WatchedPolicy

MeasuredFor = Callable[[str], tuple[Gate, ...]]
"""From an evaluation run to the gates that it was ordered for."""

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


@dataclass(frozen=True, slots=True)
class _Possible:
    """Each moment that the record may stand for under one side's rules, and what it lacks to tell them apart."""

    moments: tuple[RecordedMoment, ...]
    missing: tuple[str, ...] = ()


@dataclass(slots=True)
class Comparison:
    """Two policies, asked about one recorded moment after the other."""

    old: Policy
    new: Policy
    measured_for: MeasuredFor
    measure: Measure | None = None
    stored: set[str] = field(default_factory=set)
    """Runs whose evidence does not settle what the rules ask, and whose predictions were stored."""
    _measured: dict[tuple[str, tuple[Gate, ...]], Mapping[str, GateEvidence]] = field(
        default_factory=dict
    )
    _watched: WatchedPolicy = field(init=False)
    _changed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._watched = WatchedPolicy(self.new)
        self._changed = changed_sections(self.old, self.new)

    def replay(
        self, moment: RecordedMoment, acting: Policy | None, recorded: PlannedOutcome | None = None
    ) -> Replayed | None:
        """How the decision comes out by both; None where it is the same for certain.

        Args:
            moment: the state that was recorded with the decision.
            acting: the rules of then; None where they cannot be read.
            recorded: what was decided, where today's code decided it by the old rules; deciding is pure, so that they
                need not be asked again unless the new ones say something else.
        """
        before = self._possible(moment, acting, self.old)
        after = self._possible(moment, acting, self.new)
        by_new = [one.decide(self._watched) for one in after.moments]
        read = self._watched.sections_read()
        if before.moments == after.moments == (moment,) and not read & self._changed:
            return None
        # Who was asked to approve is read as the policy would have asked, and may differ from the record.
        certain = before.moments == (moment,) and not moment.snapshot.approvals
        if certain and _outcomes(by_new) == (recorded,):
            return None
        by_old = [one.decide(self.old) for one in before.moments]
        old, new = _outcomes(by_old), _outcomes(by_new)
        if old == new and len(new) == 1:
            return None
        # The new decision to explain: one that comes out otherwise, if there is one.
        shown = next((d for d in by_new if outcome_of(d) not in old), by_new[0])
        because, evidence = _because(by_old[0], shown)
        missing = before.missing if len(old) > 1 else ()
        missing += after.missing if len(new) > 1 else ()
        found = Replayed(
            decision=moment.decision,
            decided_at=moment.at,
            old=old,
            new=new,
            because=because,
            evidence=evidence,
            missing=tuple(dict.fromkeys(missing)),
            challenger=shown.challenger or by_old[0].challenger,
        )
        if not found.flips:
            return replace(found, because="; ".join(found.missing) or because)
        return found

    def _measure(self, evaluation: Evaluation, gates: Sequence[Gate]) -> Mapping[str, GateEvidence]:
        """Once for an evaluation and its gates: it stands in the snapshots of many decisions."""
        if evaluation.predictions is None:
            return {}
        self.stored.add(evaluation.run)
        if self.measure is None:
            return {}
        key = evaluation.run, tuple(gates)
        if key not in self._measured:
            self._measured[key] = self.measure(evaluation, gates)
        return self._measured[key]

    def _possible(self, moment: RecordedMoment, acting: Policy | None, policy: Policy) -> _Possible:
        """The moment as the rules would have found it: one, or one for each thing that the record leaves open."""
        judged = list(_judged(moment.snapshot))
        if not judged:
            return _Possible((moment,))
        found = [possible(one, self.measured_for(one.run), policy, self._measure) for one in judged]
        missing = [sentence for one in found for sentence in one.missing]
        moments = [
            moment.with_evidence({e.run: e for e in chosen}) if chosen != tuple(judged) else moment
            for chosen in islice(product(*(one.evaluations for one in found)), _MOST)
        ]
        if policy.error_budget and (acting is None or acting.error_budget is None):
            missing.append("the book of the error budget was not kept under the rules of then")
            moments = [
                replace(one, snapshot=replace(one.snapshot, budget=book))
                for one in moments
                for book in _books(one.snapshot.budget)
            ]
        return _Possible(tuple(moments), tuple(missing))


def changed_sections(old: Policy, new: Policy) -> frozenset[str]:
    """The names of the sections that differ in more than where they stand in their file."""
    before, after = without_lines(old), without_lines(new)
    return frozenset(name for name in after if before[name] != after[name])


def without_lines(value: Any) -> Any:
    """A policy's content, or a part of it, as plain values, without where it stands in its file."""
    return _strip(to_plain(value))


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key != "line"}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


def _outcomes(decisions: Iterable[Decision]) -> tuple[PlannedOutcome, ...]:
    return tuple(dict.fromkeys(map(outcome_of, decisions)))


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


def _judged(snapshot: Snapshot) -> Iterator[Evaluation]:
    """The evaluations that a decision may look at: fresh reports, and those of versions in play."""
    seen: set[str] = set()
    stored = (v.evaluation for v in snapshot.versions if v.state in UNDECIDED)
    for evaluation in (*snapshot.evaluations, *stored):
        if evaluation is not None and evaluation.run not in seen:
            seen.add(evaluation.run)
            yield evaluation


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
