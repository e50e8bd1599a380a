"""Makes a plan: which policies differ, and what each difference would have decided, streaming over the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from controller.domain import codec
from controller.domain.decisions import DecisionRecord
from controller.domain.errors import IncumbentError, IntegrityError, PolicyInvalid
from controller.domain.rules import Gate, Policy
from controller.domain.runs import RunKind
from controller.policy.phrase import count
from controller.ports import RuleText, Transaction
from controller.service.replay.plan.evidence import Measure
from controller.service.replay.plan.recorded import RecordedDecision, RecordedSpec
from controller.service.replay.plan.replay import Comparison, changed_sections, without_lines
from controller.service.replay.plan.report import ModelPlan, PlanReport, Replayed, SampleSize
from controller.service.replay.plan.samples import Comparisons
from controller.service.replay.plan.trainings import ArrivalHistory, count_trainings
from controller.service.replay.simulate import RecordedMoment

Parse = Callable[[str, str], Policy]
"""From a policy's text and path to its rules; raises PolicyInvalid."""

OnProgress = Callable[[int, int], None]
"""Told how many records of how many have been read."""

_TELL_EVERY = 500
_SECTIONS = (
    ("data", "on other rows"),
    ("train", "of other models"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One model's policy before and after; None where there is none."""

    model: str
    path: str
    old: Policy | None
    new: Policy | None
    old_blob: str | None = None
    new_blob: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The rules on both sides, each with the words that name it."""

    base: Sequence[RuleText]
    head: Sequence[RuleText]
    base_name: str
    head_name: str


def changes_between(
    base: Iterable[RuleText], head: Iterable[RuleText], parse: Parse
) -> tuple[list[Change], int]:
    """The policies that differ, by model, and how many do not. PolicyInvalid for one that cannot be read."""
    before, after = list(base), list(head)
    same = {item.blob for item in before} & {item.blob for item in after}
    old = {p.model: (text, p) for text, p in _parsed(before, same, parse)}
    new = {p.model: (text, p) for text, p in _parsed(after, same, parse)}
    changes = []
    for model in sorted(old.keys() | new.keys()):
        was, now = old.get(model), new.get(model)
        there = [side[0].path for side in (now, was) if side is not None]
        changes.append(
            Change(
                model=model,
                path=there[0],
                old=was[1] if was else None,
                new=now[1] if now else None,
                old_blob=was[0].blob if was else None,
                new_blob=now[0].blob if now else None,
            )
        )
    return changes, len({item.blob for item in after} & same)


def _parsed(
    texts: Iterable[RuleText], same: set[str], parse: Parse
) -> Iterator[tuple[RuleText, Policy]]:
    for text in texts:
        if text.refused:
            raise PolicyInvalid(text.refused)
        if text.blob not in same:
            yield text, parse(text.text, text.path)


def make_plan(  # noqa: PLR0913 - all but three are named
    tx: Transaction,
    sides: Sides,
    parse: Parse,
    *,
    model: str | None = None,
    since: datetime | None = None,
    progress: OnProgress | None = None,
    measure: Measure | None = None,
) -> PlanReport:
    """Replay the recorded decisions of every model whose policy differs between the two sides.

    ``measure`` computes evidence from stored predictions where a changed gate asks for it; None: it stays unknown.
    """
    changes, unchanged = changes_between(sides.base, sides.head, parse)
    wanted = [change for change in changes if model is None or change.model == model]
    plans = tuple(_Replay(tx, parse, change, since, measure).run(progress) for change in wanted)
    return PlanReport(base=sides.base_name, head=sides.head_name, models=plans, unchanged=unchanged)


@dataclass(slots=True)
class _Replay:
    """One model's log, read once from its oldest record on."""

    tx: Transaction
    parse: Parse
    change: Change
    since: datetime | None
    measure: Measure | None
    policies: dict[str, Policy | None] = field(default_factory=dict)
    ordered: dict[str, tuple[Gate, ...]] = field(default_factory=dict)
    gates: dict[str, tuple[Gate, ...]] = field(default_factory=dict)
    history: ArrivalHistory = field(default_factory=ArrivalHistory)
    comparisons: Comparisons = field(default_factory=Comparisons)
    flips: list[Replayed] = field(default_factory=list)
    unknown: list[Replayed] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    decisions: int = 0
    first: datetime | None = None
    last: datetime | None = None
    acting: Policy | None = None

    def run(self, progress: OnProgress | None) -> ModelPlan:
        """Read the log, then sum up."""
        old, new = self.change.old, self.change.new
        if old is None or new is None:
            return self._sum_up(())
        if not changed_sections(old, new):
            return self._sum_up(("Only comments or layout differ: no rule does.",))
        comparison = Comparison(old, new, self._measured_for, self.measure)
        total, _ = self.tx.decisions.head()
        for number, record in enumerate(self.tx.decisions.walk(model=self.change.model)):
            self._read(record, comparison)
            if progress is not None and number % _TELL_EVERY == 0:
                progress(record.id, total)
        if progress is not None:
            progress(total, total)
        return self._sum_up((*self._notes(old, new), *_stored(comparison)))

    def _read(self, record: DecisionRecord, comparison: Comparison) -> None:
        try:
            taken = RecordedDecision.of(record.decision)
            self._remember_orders(record, taken)
            if self._early(record):
                return
            moment = RecordedMoment.of(record)
        except IntegrityError:
            self.unreadable.append(record.id)
            return
        self.decisions += 1
        self.first, self.last = self.first or record.decided_at, record.decided_at
        self.acting = self._policy(record)
        self.history.add(moment.snapshot, record.decided_at)
        for evaluation in moment.snapshot.evaluations:
            self.comparisons.add(evaluation, self._measured_for(evaluation.run))
        by_old = taken.outcome if record.rules.blob == self.change.old_blob else None
        found = comparison.replay(moment, self.acting, by_old)
        if found is not None:
            (self.flips if found.flips else self.unknown).append(found)

    def _remember_orders(self, record: DecisionRecord, taken: RecordedDecision) -> None:
        """Which gates each evaluation was ordered for: its order is in the log before its result."""
        for run, spec in taken.orders:
            if spec.kind is RunKind.EVALUATE:
                self.ordered[run] = self._gates(spec)
            if spec.kind is RunKind.TRAIN and not self._early(record):
                self.history.recorded += 1

    def _early(self, record: DecisionRecord) -> bool:
        return self.since is not None and record.decided_at < self.since

    def _gates(self, spec: RecordedSpec) -> tuple[Gate, ...]:
        key = json.dumps(spec.gates, sort_keys=True)
        if key not in self.gates:
            self.gates[key] = codec.load_plain(tuple[Gate, ...], spec.gates)
        return self.gates[key]

    def _measured_for(self, run: str) -> tuple[Gate, ...]:
        known = self.ordered.get(run)
        if known is None:
            found = self.tx.runs.get(run)
            acting = self.acting.promote if self.acting is not None else ()
            known = self.ordered[run] = found.spec.gates if found is not None else acting
        return known

    def _policy(self, record: DecisionRecord) -> Policy | None:
        """The rules that acted; None where their text is gone or this release cannot read it."""
        blob = record.rules.blob
        if blob not in self.policies:
            text = self.tx.rules.text(blob)
            try:
                found = self.parse(text, record.rules.path) if text is not None else None
            except IncumbentError:
                found = None
            self.policies[blob] = found
        return self.policies[blob]

    def _notes(self, old: Policy, new: Policy) -> Iterator[str]:
        for section, of_what in _SECTIONS:
            if _shaping(old, section) != _shaping(new, section):
                yield (
                    f"`{section}` changes: evidence {of_what} was never measured; decisions are "
                    "replayed with the evidence that is recorded."
                )
        for metric in sorted(self._conditions(new) - self._conditions(old)):
            yield (
                f"`rollback.when` asks for {metric}, which the old rules did not: decisions hold "
                "only the figures that were posted."
            )
        if self.unreadable:
            first = self.unreadable[0]
            yield (
                f"{len(self.unreadable):,} decisions are left out, the first is {first}: what they "
                "hold cannot be read; `incumbent verify --all` says more."
            )

    @staticmethod
    def _conditions(policy: Policy) -> set[str]:
        return {condition.metric for condition in policy.rollback.when}

    def _sum_up(self, notes: tuple[str, ...]) -> ModelPlan:
        change = self.change
        replayed = bool(self.decisions) and change.old is not None and change.new is not None
        trainings = None
        samples: tuple[SampleSize, ...] = ()
        if replayed and change.old is not None and change.new is not None:
            trainings = count_trainings(self.history, change.old, change.new)
            changed = _changed_gates(change.old, change.new)
            samples = tuple(
                size for size in self.comparisons.sizes(change.new) if size.gate in changed
            )
        return ModelPlan(
            model=change.model,
            path=change.path,
            old_blob=change.old_blob,
            new_blob=change.new_blob,
            decisions=self.decisions,
            flips=tuple(self.flips),
            unknown=tuple(self.unknown),
            trainings=trainings,
            samples=samples,
            notes=notes,
            first=self.first,
            last=self.last,
        )


def _stored(comparison: Comparison) -> Iterator[str]:
    """That more can be known than is recorded."""
    if not comparison.stored:
        return
    which = f"{count(len(comparison.stored), 'evaluation')} whose predictions are stored"
    if comparison.measure is None:
        yield (
            f"Evidence of {which} can be computed for the changed gates: `--recompute` of `incumbent plan` does so."
        )
        return
    yield f"Evidence of {which} was computed for the changed gates where the predictions hold what they ask for."


def _changed_gates(old: Policy, new: Policy) -> set[str]:
    before = {gate.name: replace(gate, line=0) for gate in old.promote}
    return {gate.name for gate in new.promote if before.get(gate.name) != replace(gate, line=0)}


def _shaping(policy: Policy, section: str) -> Any:
    """The part of a section that shapes models or the rows that they are judged on."""
    plain = without_lines(getattr(policy, section))
    return {key: value for key, value in plain.items() if key not in {"expect", "poll"}}
