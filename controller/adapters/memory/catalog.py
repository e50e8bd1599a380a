"""The catalogue and the free models in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.adapters.memory.tables import FreeRow, Tables
from controller.domain.catalog import (
    ARCHIVED,
    CHAMPION_ALIAS,
    STAGES,
    STATE_TAG,
    CatalogKind,
    CatalogModel,
    CatalogSearch,
    CatalogVersion,
    Clause,
    NewFreeVersion,
    Ordering,
    stage_of,
)
from controller.domain.errors import AlreadyExists, Conflict, NotFound
from controller.domain.versions import Version

_PROMPT = "mlflow.prompt.is_prompt"


class MemoryFreeModels:
    """Free models by name."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add_model(
        self, name: str, *, description: str, tags: Mapping[str, str], at: datetime
    ) -> None:
        self._need_free_name(name)
        model = CatalogModel(
            name=name,
            kind="free",
            created_at=at,
            updated_at=at,
            description=description,
            tags=dict(tags),
        )
        self._tables.free[name] = FreeRow(
            model=model, next_version=self._tables.free_numbers.get(name) or 1
        )

    def change_model(
        self,
        name: str,
        *,
        at: datetime,
        description: str | None = None,
        new_name: str | None = None,
    ) -> None:
        row = self._row(name)
        model = replace(row.model, updated_at=at)
        if description is not None:
            model = replace(model, description=description)
        row = replace(row, model=model)
        if new_name is not None and new_name != name:
            self._need_free_name(new_name)
            self._tables.free_numbers[name] = row.next_version
            self._tables.free.pop(name)
            used = self._tables.free_numbers.get(new_name) or 1
            row = FreeRow(
                model=replace(model, name=new_name),
                versions={n: replace(v, model=new_name) for n, v in row.versions.items()},
                next_version=max(row.next_version, used),
            )
        self._tables.free[row.model.name] = row

    def remove_model(self, name: str, at: datetime) -> None:  # noqa: ARG002 - the databases keep it
        self._tables.free_numbers[name] = self._row(name).next_version
        self._tables.free.pop(name)

    def add_version(self, name: str, version: NewFreeVersion, at: datetime) -> int:
        row = self._row(name)
        number = version.number or row.next_version
        if number < row.next_version:
            raise Conflict(f"{name} has given the number {number} before.")
        entered = CatalogVersion(
            model=name,
            number=number,
            kind="free",
            stage=version.stage,
            created_at=version.created_at or at,
            updated_at=at,
            description=version.description,
            source=version.source,
            storage=version.storage,
            run=version.run,
            run_link=version.run_link,
            model_id=version.model_id,
            author=version.author,
            tags=dict(version.tags),
        )
        self._tables.free[name] = FreeRow(
            model=replace(row.model, updated_at=at),
            versions={**row.versions, number: entered},
            next_version=number + 1,
        )
        return number

    def change_version(
        self,
        name: str,
        number: int,
        *,
        at: datetime,
        description: str | None = None,
        stage: str | None = None,
        alone: bool = False,
    ) -> None:
        row, version = self._version(name, number)
        versions = dict(row.versions)
        if description is not None:
            version = replace(version, description=description)
        if stage is not None:
            version = replace(version, stage=stage)
            row = replace(row, model=replace(row.model, updated_at=at))
            for other in versions.values() if alone else ():
                if other.stage == stage and other.number != number:
                    versions[other.number] = replace(other, stage=ARCHIVED, updated_at=at)
        versions[number] = replace(version, updated_at=at)
        self._tables.free[name] = replace(row, versions=versions)

    def remove_version(self, name: str, number: int, at: datetime) -> None:
        row, _ = self._version(name, number)
        aliases = {a: n for a, n in row.model.aliases.items() if n != number}
        self._tables.free[name] = replace(
            row,
            model=replace(row.model, updated_at=at, aliases=aliases),
            versions={n: v for n, v in row.versions.items() if n != number},
        )

    def tag(self, name: str, number: int, key: str, value: str | None) -> None:
        row = self._row(name)
        before = self._version(name, number)[1].tags if number else row.model.tags
        tags = {k: v for k, v in before.items() if k != key}
        if value is not None:
            tags[key] = value
        if number:
            changed = replace(row.versions[number], tags=tags)
            row = replace(row, versions={**row.versions, number: changed})
        else:
            row = replace(row, model=replace(row.model, tags=tags))
        self._tables.free[name] = row

    def point(self, name: str, alias: str, number: int | None) -> None:
        row = self._row(name) if number is None else self._version(name, number)[0]
        aliases = {a: n for a, n in row.model.aliases.items() if a != alias}
        if number is not None:
            aliases[alias] = number
        self._tables.free[name] = replace(row, model=replace(row.model, aliases=aliases))

    def _row(self, name: str) -> FreeRow:
        row = self._tables.free.get(name)
        if row is None:
            raise NotFound(f"Registered Model with name={name} not found")
        return row

    def _version(self, name: str, number: int) -> tuple[FreeRow, CatalogVersion]:
        row = self._row(name)
        if number not in row.versions:
            raise NotFound(f"Model Version (name={name}, version={number}) not found")
        return row, row.versions[number]

    def _need_free_name(self, name: str) -> None:
        if name in self._tables.free:
            raise AlreadyExists(f"Registered Model (name={name}) already exists.")


class MemoryCatalog:
    """Lists both kinds by looking at every row."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def kind(self, name: str) -> CatalogKind | None:
        state = self._tables.models.get(name)
        if name in self._tables.rules or (state is not None and state.next_version > 1):
            return "governed"
        return "free" if name in self._tables.free else None

    def model(self, name: str) -> CatalogModel | None:
        return next((m for m in self._all_models() if m.name == name), None)

    def version(self, name: str, number: int) -> CatalogVersion | None:
        return next((v for v in self._versions_of(name) if v.number == number), None)

    def by_alias(self, name: str, alias: str) -> CatalogVersion | None:
        return next((v for v in self._versions_of(name) if alias in v.aliases), None)

    def models(self, search: CatalogSearch) -> list[CatalogModel]:
        values: dict[str, Callable[[CatalogModel], Any]] = {
            "name": lambda m: m.name,
            "created": lambda m: m.created_at,
            "updated": lambda m: m.updated_at,
        }
        return _found(self._all_models(), search, values, (Ordering(field="name"),))

    def versions(self, search: CatalogSearch) -> list[CatalogVersion]:
        values: dict[str, Callable[[CatalogVersion], Any]] = {
            "name": lambda v: v.model,
            "number": lambda v: v.number,
            "created": lambda v: v.created_at,
            "updated": lambda v: v.updated_at,
            "run": lambda v: v.run,
            "source": lambda v: v.source,
        }
        names = {*self._tables.models, *self._tables.free}
        every = [version for name in names for version in self._versions_of(name)]
        given = search.order or (Ordering(field="updated", descending=True),)
        later = (Ordering(field="name"), Ordering(field="number", descending=True))
        return _found(every, replace(search, order=given), values, later)

    def _all_models(self) -> list[CatalogModel]:
        governed = [self._governed(name) for name in {*self._tables.models, *self._tables.rules}]
        free = [
            replace(row.model, latest=_latest(self._versions_of(row.model.name)))
            for row in self._tables.free.values()
            if self.kind(row.model.name) == "free"
        ]
        return [model for model in governed if model is not None] + free

    def _governed(self, name: str) -> CatalogModel | None:
        if self.kind(name) != "governed":
            return None
        state, rules = self._tables.models.get(name), self._tables.rules.get(name)
        versions = self._versions_of(name)
        times = [v.updated_at for v in versions[:1]] or ([rules.activated_at] if rules else [])
        champion = state.champion if state else None
        named = {a: n for (m, a), n in self._pointing() if m == name}
        return CatalogModel(
            name=name,
            kind="governed",
            created_at=versions[-1].created_at if versions else times[0],
            updated_at=times[0],
            description=self._tables.descriptions.get((name, 0)) or "",
            tags=self._tags(name, 0),
            aliases=named if champion is None else {**named, CHAMPION_ALIAS: champion},
            latest=_latest(versions),
        )

    def _versions_of(self, name: str) -> list[CatalogVersion]:
        """Newest first."""
        if self.kind(name) == "governed":
            state = self._tables.models.get(name)
            last = state.next_version if state else 1
            found = (self._tables.versions.get((name, n)) for n in range(last - 1, 0, -1))
            champion = state.champion if state else None
            return [self._noted(_as_listed(v, champion)) for v in found if v]
        row = self._tables.free.get(name)
        if row is None:
            return []
        return [
            replace(
                v, aliases=tuple(sorted(a for a, n in row.model.aliases.items() if n == number))
            )
            for number, v in sorted(row.versions.items(), reverse=True)
        ]

    def _pointing(self) -> list[tuple[tuple[str, str], int]]:
        rows = self._tables.aliases.values()
        return [((row.model, row.name), row.version) for row in rows if row.version is not None]

    def _tags(self, model: str, number: int) -> dict[str, str]:
        rows = self._tables.tags.values()
        return {row.name: row.value for row in rows if (row.model, row.version) == (model, number)}

    def _noted(self, version: CatalogVersion) -> CatalogVersion:
        """With what people wrote about it."""
        mine = (version.model, version.number)
        named = [a for (m, a), n in self._pointing() if (m, n) == mine]
        return replace(
            version,
            description=self._tables.descriptions.get(mine) or "",
            tags={**self._tags(*mine), **version.tags},
            aliases=tuple(sorted({*version.aliases, *named})),
        )


def _as_listed(version: Version, champion: int | None) -> CatalogVersion:
    return CatalogVersion(
        model=version.model,
        number=version.number,
        kind="governed",
        stage=stage_of(version.state),
        created_at=version.created_at,
        updated_at=version.state_since or version.created_at,
        source=f"sha256:{version.digest}",
        run=version.run,
        digest=version.digest,
        tags={STATE_TAG: version.state.value, "incumbent.recipe": version.recipe},
        aliases=(CHAMPION_ALIAS,) if version.number == champion else (),
    )


def _latest(versions: Iterable[CatalogVersion]) -> tuple[CatalogVersion, ...]:
    newest: dict[str, CatalogVersion] = {}
    for version in versions:
        newest.setdefault(version.stage, version)
    return tuple(newest[stage] for stage in STAGES if stage in newest)


def _found(
    rows: list[Any],
    search: CatalogSearch,
    values: Mapping[str, Callable[[Any], Any]],
    later: tuple[Ordering, ...],
) -> list[Any]:
    given = {one.field for one in search.order}
    order = (*search.order, *(one for one in later if one.field not in given))
    rows = [row for row in rows if all(_holds(row, clause, values) for clause in search.clauses)]
    if search.after is not None:
        rows = [row for row in rows if _beyond(row, search.after, order, values)]
    for one in reversed(order):
        rows.sort(key=values[one.field], reverse=one.descending)
    return rows[: search.limit]


def _beyond(
    row: Any,
    after: tuple[Any, ...],
    order: tuple[Ordering, ...],
    values: Mapping[str, Callable[[Any], Any]],
) -> bool:
    for one, last in zip(order, after, strict=True):
        value = values[one.field](row)
        if value != last:
            return bool(value < last if one.descending else value > last)
    return False


def _holds(row: Any, clause: Clause, values: Mapping[str, Callable[[Any], Any]]) -> bool:
    if clause.field == "tag":
        if clause.key == _PROMPT:
            is_prompt = row.tags.get(_PROMPT, "").lower() == "true"
            return is_prompt is ((clause.op == "=") == (clause.value == "true"))
        return clause.key in row.tags and _compares(row.tags[clause.key], clause)
    return clause.field in values and _compares(values[clause.field](row), clause)


def _compares(value: Any, clause: Clause) -> bool:
    given: Any = clause.value
    match clause.op:
        case "=":
            return bool(value == given)
        case "!=":
            return bool(value != given)
        case "IN":
            return value in given
        case "NOT IN":
            return value not in given
        case "LIKE" | "ILIKE":
            words = {"%": ".*", "_": "."}
            pattern = "".join(words.get(c) or re.escape(c) for c in given)
            flags = re.DOTALL | (re.IGNORECASE if clause.op == "ILIKE" else 0)
            return re.fullmatch(pattern, value, flags) is not None
        case ">":
            return bool(value > given)
        case ">=":
            return bool(value >= given)
        case "<":
            return bool(value < given)
        case _:
            return bool(value <= given)
