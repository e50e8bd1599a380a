"""Aliases, consumers, holds and what retention took, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from controller.adapters.memory.tables import Tables
from controller.domain.decisions import (
    KeepVersion,
    LetGo,
    RemoveArtifact,
    SetAlias,
    SetSunset,
)
from controller.domain.errors import Conflict, IllegalTransition, StaleGeneration
from controller.domain.use import (
    RESERVED_ALIAS,
    UNALIASED,
    Alias,
    AliasMove,
    Consumer,
    Keep,
    Removal,
    check_alias,
)
from controller.domain.versions import Version, VersionState
from controller.ports import Resolved


class MemoryAliases:
    """Aliases by (model, name), moves in order."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def resolve(self, model: str, name: str) -> Resolved | None:
        generation, number = self._points_at(model, name)
        version = self._tables.versions.get((model, number)) if number else None
        if version is None:
            return None
        rollout = self._tables.models[model].rollout if name == RESERVED_ALIAS else None
        return Resolved(name=name, generation=generation, version=version, rollout=rollout)

    def _points_at(self, model: str, name: str) -> tuple[int, int | None]:
        digits = name.removeprefix("v").removeprefix("V")
        if name == RESERVED_ALIAS:
            state = self._tables.models.get(model)
            return (state.generation, state.champion) if state else (0, None)
        if digits.isdecimal():
            return 0, int(digits) if len(digits) <= 9 else None
        alias = self.get(model, name)
        return (alias.generation, alias.version) if alias else (0, None)

    def set(
        self, model: str, action: SetAlias, *, decision: int, at: datetime, actor: str
    ) -> Alias:
        check_alias(action.alias)
        _need_decision(self._tables, decision)
        seen = self.get(model, action.alias)
        generation, version = (seen.generation, seen.version) if seen else (0, None)
        if (generation, version) != (action.generation, action.previous):
            raise StaleGeneration(
                f"{model}@{action.alias} is at generation {generation} with {_name(version)},"
                f" not at {action.generation} with {_name(action.previous)}."
            )
        if action.version is not None:
            target = _need_version(self._tables, model, action.version)
            if target.state in UNALIASED:
                raise IllegalTransition("an alias points at a version that exists and lives")
        alias = Alias(
            model=model,
            name=action.alias,
            generation=generation + 1,
            version=action.version,
            at=at,
        )
        self._tables.aliases[model, action.alias] = alias
        number = len(self._tables.alias_moves) + 1
        self._tables.alias_moves[number] = AliasMove(
            id=number,
            model=model,
            name=action.alias,
            generation=alias.generation,
            version=action.version,
            previous=action.previous,
            actor=actor,
            reason=action.reason,
            decision=decision,
            at=at,
        )
        return alias

    def get(self, model: str, name: str) -> Alias | None:
        return self._tables.aliases.get((model, name))

    def of(self, model: str) -> list[Alias]:
        found = [a for a in self._tables.aliases.values() if a.model == model]
        return sorted((a for a in found if a.version is not None), key=lambda alias: alias.name)

    def moves(self, model: str, name: str | None = None) -> list[AliasMove]:
        return [
            move
            for move in self._tables.alias_moves.values()
            if move.model == model and name in (None, move.name)
        ]


class MemoryConsumers:
    """Leases by (model, consumer, version)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def renew(self, lease: Consumer, *, downloads: int = 0) -> Consumer:
        target = _need_version(self._tables, lease.model, lease.version)
        if target.state is VersionState.ARCHIVED:
            raise IllegalTransition("a consumer uses a version that lives")
        key = lease.model, lease.name, lease.version
        known = self._tables.consumers.get(key)
        before = known or replace(lease, resolves=0, downloads=0)
        kept = replace(
            before,
            selector=lease.selector,
            actor=lease.actor,
            seen_at=lease.seen_at,
            until=max(before.until, lease.until),
            resolves=before.resolves + (0 if downloads else 1),
            downloads=before.downloads + downloads,
        )
        self._tables.consumers[key] = kept
        return kept

    def release(self, model: str, name: str, at: datetime) -> int:
        held = [one for one in self.by_name(name) if one.model == model and one.until > at]
        for lease in held:
            self._tables.consumers[model, name, lease.version] = replace(lease, until=at)
        return len(held)

    def of(self, model: str, *, live_at: datetime | None = None) -> list[Consumer]:
        found = [
            lease
            for lease in self._tables.consumers.values()
            if lease.model == model and (live_at is None or lease.until > live_at)
        ]
        return sorted(found, key=lambda lease: (-lease.version, lease.name))

    def by_name(self, name: str) -> list[Consumer]:
        found = [lease for lease in self._tables.consumers.values() if lease.name == name]
        return sorted(found, key=lambda lease: (lease.model, -lease.version))


class MemoryKeeps:
    """Holds on versions, sunsets and removals."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def keep(self, model: str, action: KeepVersion, *, decision: int, at: datetime) -> None:
        _need_decision(self._tables, decision)
        _need_version(self._tables, model, action.version)
        if any(keep.version == action.version for keep in self.of(model)):
            raise Conflict(f"{model} v{action.version} is on hold already.")
        hold = Keep(
            model=model,
            version=action.version,
            reason=action.reason,
            actor=action.actor,
            since=at,
        )
        self._tables.keeps[len(self._tables.keeps) + 1] = hold

    def let_go(self, model: str, action: LetGo, *, decision: int, at: datetime) -> None:
        _need_decision(self._tables, decision)
        for number in self._tables.keeps:
            keep = self._tables.keeps[number]
            standing = keep.lifted_at is None
            if standing and (keep.model, keep.version) == (model, action.version):
                self._tables.keeps[number] = replace(keep, lifted_at=at)
                return
        raise Conflict(f"{model} v{action.version} is not on hold.")

    def of(self, model: str, *, lifted: bool = False) -> list[Keep]:
        return [
            keep
            for keep in self._tables.keeps.values()
            if keep.model == model and (lifted or keep.lifted_at is None)
        ]

    def sunset(self, model: str, action: SetSunset, *, decision: int) -> None:
        _need_decision(self._tables, decision)
        version = _need_version(self._tables, model, action.version)
        self._tables.versions[model, action.version] = replace(
            version, sunset=action.at, sunset_firm=action.firm
        )

    def remove(self, model: str, action: RemoveArtifact, *, decision: int, at: datetime) -> None:
        _need_decision(self._tables, decision)
        version = _need_version(self._tables, model, action.version)
        if version.state is not VersionState.ARCHIVED or version.digest != action.digest:
            raise Conflict("only the artifact of an archived version is taken away")
        if (model, action.version) in self._tables.removals:
            raise Conflict("a removal is never changed")
        self._tables.removals[model, action.version] = Removal(
            model=model, version=action.version, digest=action.digest, at=at, decision=decision
        )

    def removals(self, model: str | None = None, *, undone: bool = False) -> list[Removal]:
        found = [
            removal
            for removal in self._tables.removals.values()
            if model in (None, removal.model) and not (undone and removal.done_at)
        ]
        return sorted(found, key=lambda one: (one.decision, one.model, one.version))

    def removed(self, model: str, version: int, at: datetime) -> None:
        found = self._tables.removals.get((model, version))
        if found is not None and found.done_at is None:
            self._tables.removals[model, version] = replace(found, done_at=at)

    def users_of(self, digest: str) -> list[Version]:
        found = [
            version
            for version in self._tables.versions.values()
            if version.digest == digest
            and (version.model, version.number) not in self._tables.removals
        ]
        return sorted(found, key=lambda version: (version.model, version.number))


def _need_version(tables: Tables, model: str, number: int) -> Version:
    found = tables.versions.get((model, number))
    if found is None:
        raise Conflict(f"{model} has no version {number}.")
    return found


def _need_decision(tables: Tables, decision: int) -> None:
    if decision not in tables.decisions:
        raise Conflict(f"There is no decision {decision}.")


def _name(version: int | None) -> str:
    return "no version" if version is None else f"v{version}"
