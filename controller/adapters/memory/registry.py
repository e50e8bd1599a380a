"""The registry in memory: versions, facts, the seat."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from controller.adapters.memory.models import MemoryModels
from controller.adapters.memory.tables import Tables
from controller.domain.decisions import (
    MoveVersion,
    RecordEvaluation,
    RegisterVersion,
    SetChampion,
)
from controller.domain.errors import Conflict, IllegalTransition, StaleGeneration
from controller.domain.evidence import Evaluation
from controller.domain.use import ways_back
from controller.domain.versions import (
    Fence,
    Reign,
    Version,
    VersionFact,
    VersionState,
    check_move,
    fences,
)
from controller.ports import Within


class MemoryRegistry:
    """Versions by (model, number); each change of state is a fact."""

    def __init__(self, tables: Tables, models: MemoryModels) -> None:
        self._tables = tables
        self._models = models

    def register(
        self, model: str, action: RegisterVersion, *, decision: int, at: datetime
    ) -> Version:
        state = self._models.state(model)
        if action.version != state.next_version:
            raise Conflict(
                f"{model} v{action.version} cannot be entered: its next version is v{state.next_version}."
            )
        if action.run in self._tables.version_runs:
            raise Conflict(f"Run {action.run} has brought a version before.")
        version = Version(
            model=model,
            number=action.version,
            state=VersionState.CANDIDATE,
            run=action.run,
            digest=action.digest,
            recipe=action.recipe,
            created_at=at,
            size=action.size,
            data_through=action.data_through,
            metrics=dict(action.metrics),
            lineage=action.lineage,
            decision=decision,
            state_since=at,
        )
        self._models.replace(replace(state, next_version=state.next_version + 1))
        self._tables.versions[model, version.number] = version
        self._tables.version_runs[version.run] = None
        self._fact(
            version, before=None, decision=decision, at=at, actor="system", reason="It was trained."
        )
        return version

    def move(
        self, model: str, action: MoveVersion, *, decision: int, at: datetime, actor: str
    ) -> None:
        check_move(action.before, action.after)
        if action.after is VersionState.CHAMPION:
            raise IllegalTransition("A version becomes champion by a promotion, not by a move.")
        version = self._get(model, action.version)
        if version.state is not action.before:
            raise Conflict(f"{model} v{version.number} is {version.state}, not {action.before}.")
        self._change(
            version, action.after, decision=decision, at=at, actor=actor, reason=action.reason
        )
        if action.before is VersionState.CHAMPION:
            self._tables.touched_seats.add(model)

    def seat(self, model: str, action: SetChampion, *, decision: int, at: datetime) -> int:
        state = self._models.state(model)
        if state.generation != action.generation or state.champion != action.previous:
            raise StaleGeneration(
                f"{model} is at generation {state.generation} with champion"
                f" {_name(state.champion)}, not at {action.generation} with {_name(action.previous)}."
            )
        version = self._get(model, action.version)
        check_move(version.state, VersionState.CHAMPION)
        if (
            state.champion is not None
            and self._get(model, state.champion).state is VersionState.CHAMPION
        ):
            raise Conflict(f"{model} v{state.champion} is still champion; move it first.")
        generation = state.generation + 1
        self._models.replace(replace(state, champion=version.number, generation=generation))
        self._change(
            replace(version, promoted_at=at),
            VersionState.CHAMPION,
            decision=decision,
            at=at,
            actor=self._who_left(model, state.champion),
            reason=action.reason,
        )
        past = self._tables.reigns.get(model) or ()
        if past:
            past = (*past[:-1], replace(past[-1], until=at, ended_by=action.cause))
        reign = Reign(version=version.number, generation=generation, since=at)
        self._tables.reigns[model] = (*past, reign)
        self._tables.touched_seats.add(model)
        return generation

    def _who_left(self, model: str, previous: int | None) -> str:
        """By whom the seat was left: who comes is by the same one."""
        if previous is None:
            return "system"
        moved = [f for f in self._tables.facts.values() if f.model == model]
        return next(f.actor for f in reversed(moved) if f.version == previous)

    def attach(self, model: str, action: RecordEvaluation, *, decision: int) -> None:
        self._need_decision(decision)
        version = self._get(model, action.evaluation.version)
        self._tables.evaluations[model, version.number] = action.evaluation

    def mark_verified(
        self,
        model: str,
        version: int,
        *,
        decision: int,
        at: datetime,  # noqa: ARG002 - the databases keep it
    ) -> None:
        self._need_decision(decision)
        found = self._get(model, version)
        self._tables.versions[model, version] = replace(found, verified=True)

    def versions(
        self,
        model: str,
        *,
        states: Collection[VersionState] | None = None,
        numbers: Collection[int] | None = None,
        within: Within | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        last = self._tables.models[model].next_version if model in self._tables.models else 1
        wanted = range(1, last) if numbers is None else {n for n in numbers if 0 < n < last}
        found = [self._tables.versions[model, n] for n in sorted(wanted, reverse=True)]
        kept = [v for v in found if within is None or within.holds(v)]
        return [v for v in kept if states is None or v.state in states][:limit]

    def measured(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, float]]:
        judged = self.evaluations(model, numbers)
        return {
            v.number: {**v.metrics, **(judged[v.number].metrics if v.number in judged else {})}
            for v in self.versions(model, numbers=numbers)
        }

    def evaluations(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Evaluation]:
        found: dict[int, Evaluation] = {}
        for version in self.versions(model, numbers=numbers):
            evaluation = self._tables.evaluations.get((model, version.number))
            if evaluation is not None:
                found[version.number] = evaluation
        return found

    def history(self, model: str, limit: int = 20) -> list[Reign]:
        return list(reversed(self._tables.reigns.get(model) or ()))[:limit]

    def _get(self, model: str, number: int) -> Version:
        found = self._tables.versions.get((model, number))
        if found is None:
            raise Conflict(f"{model} has no version {number}.")
        return found

    def _need_decision(self, decision: int) -> None:
        if decision not in self._tables.decisions:
            raise Conflict(f"There is no decision {decision}.")

    def _change(
        self,
        version: Version,
        after: VersionState,
        *,
        decision: int,
        at: datetime,
        actor: str,
        reason: str,
    ) -> None:
        self._need_nobody(version, after, at)
        changed = replace(version, state=after, state_since=at)
        self._tables.versions[version.model, version.number] = changed
        self._fact(
            changed, before=version.state, decision=decision, at=at, actor=actor, reason=reason
        )

    def _need_nobody(self, version: Version, after: VersionState, at: datetime) -> None:
        """What the guards refuse: taking a version away from whom it serves."""
        for fence in fences(version.state, after):
            if self._stands(fence, version, at):
                raise IllegalTransition(fence.value)

    def _stands(self, fence: Fence, version: Version, at: datetime) -> bool:
        key = version.model, version.number
        tables = self._tables
        match fence:
            case Fence.ALIAS:
                return any((one.model, one.version) == key for one in tables.aliases.values())
            case Fence.CONSUMER:
                leases = (one for one in tables.consumers.values() if one.until > at)
                return any((one.model, one.version) == key for one in leases)
            case Fence.HOLD:
                keeps = (one for one in tables.keeps.values() if one.lifted_at is None)
                return any((one.model, one.version) == key for one in keeps)
            case Fence.WAY_BACK:
                past = self.history(version.model, version.number + 1_000_000)
                return version.number in ways_back(past, self.versions(version.model))
            case Fence.REMOVED:
                return key in tables.removals
            case Fence.REJECTED:
                ended = {VersionState.REJECTED, VersionState.FAILED}
                facts = (one for one in tables.facts.values() if one.after in ended)
                return any((one.model, one.version) == key for one in facts)
            case _:
                assert_never(fence)

    def _fact(
        self,
        version: Version,
        *,
        before: VersionState | None,
        decision: int,
        at: datetime,
        actor: str,
        reason: str,
    ) -> None:
        self._need_decision(decision)
        number = len(self._tables.facts) + 1
        self._tables.facts[number] = VersionFact(
            id=number,
            model=version.model,
            version=version.number,
            before=before,
            after=version.state,
            actor=actor,
            reason=reason,
            decision=decision,
            at=at,
        )


def _name(version: int | None) -> str:
    return "none" if version is None else f"v{version}"


class MemoryFacts:
    """Reads the facts that the registry wrote."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, model: str, version: int | None = None) -> list[VersionFact]:
        return [
            fact
            for fact in self._tables.facts.values()
            if fact.model == model and version in (None, fact.version)
        ]
