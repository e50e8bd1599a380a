"""The catalogue in SQL: governed and free models, each found through an index of its own, then merged in order.

A version comes with its tags and aliases in one SELECT. The model's id is a subquery and not a join: PostgreSQL then
looks the version up by its primary key, however many there are.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Row, Select, and_

from controller.adapters.sql.catalog_sides import SIDES, CatalogSide, FreeSide, GovernedSide
from controller.adapters.sql.catalog_text import compared, ordered
from controller.adapters.sql.free import id_of
from controller.adapters.sql.free_tables import free_versions
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import versions_table
from controller.adapters.sql.types import storable
from controller.domain.catalog import (
    CHAMPION_ALIAS,
    STAGES,
    CatalogKind,
    CatalogModel,
    CatalogSearch,
    CatalogVersion,
    Ordering,
)

_VERSIONS = (Ordering(field="updated", descending=True),)
_LATER_VERSIONS = (Ordering(field="name"), Ordering(field="number", descending=True))
_LATER_MODELS = (Ordering(field="name"),)


_POINTED: dict[tuple[bool, CatalogKind, bool], Select[Any]] = {}


class SqlCatalog:
    """Reads both kinds."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def kind(self, name: str) -> CatalogKind | None:
        if self._session.execute(GovernedSide.known(storable(name))).first() is not None:
            return "governed"
        return "free" if self._session.execute(id_of(name)).scalar() is not None else None

    def model(self, name: str) -> CatalogModel | None:
        for side in SIDES:
            row = self._session.execute(
                side.models(self._session).where(side.model_fields["name"] == storable(name))
            ).first()
            if row is not None:
                return self._models(side, [row])[0]
        return None

    def version(self, name: str, number: int) -> CatalogVersion | None:
        name = storable(name)
        return self._first(
            (GovernedSide, and_(versions_table.c.model == name, versions_table.c.number == number)),
            (
                FreeSide,
                and_(
                    free_versions.c.model == id_of(name).scalar_subquery(),
                    free_versions.c.number == number,
                    free_versions.c.deleted_at.is_(None),
                ),
            ),
        )

    def by_alias(self, name: str, alias: str) -> CatalogVersion | None:
        asked = {"asked": storable(name), "alias": storable(alias)}
        for side in SIDES:
            row = self._session.execute(
                self._pointed(side, champion=alias == CHAMPION_ALIAS), asked
            ).first()
            if row is not None:
                return side.as_version(row)
        return None

    def _pointed(self, side: CatalogSide, *, champion: bool) -> Select[Any]:
        """The version behind the alias, as a statement that is built once for each kind of database."""
        kind = (self._session.postgres, side.kind, champion)
        if kind not in _POINTED:
            _POINTED[kind] = side.versions(self._session).where(side.pointed(champion=champion))
        return _POINTED[kind]

    def _first(self, *asked: tuple[CatalogSide, Any]) -> CatalogVersion | None:
        for side, condition in asked:
            row = self._session.execute(side.versions(self._session).where(condition)).first()
            if row is not None:
                return side.as_version(row)
        return None

    def models(self, search: CatalogSearch) -> list[CatalogModel]:
        order = _whole((*search.order,), _LATER_MODELS)
        parts = []
        for side in SIDES:
            statement = self._narrowed(
                side.models(self._session), side, search, order, side.model_fields
            )
            rows = list(self._session.execute(statement))
            parts.append(self._models(side, rows))
        return _merged(parts, order, search.limit, _MODEL_VALUES)

    def versions(self, search: CatalogSearch) -> list[CatalogVersion]:
        order = _whole(search.order or _VERSIONS, _LATER_VERSIONS)
        parts = []
        for side in SIDES:
            statement = self._narrowed(
                side.versions(self._session), side, search, order, side.version_fields
            )
            parts.append([side.as_version(row) for row in self._session.execute(statement)])
        return _merged(parts, order, search.limit, _VERSION_VALUES)

    def _narrowed(
        self,
        statement: Select[Any],
        side: CatalogSide,
        search: CatalogSearch,
        order: tuple[Ordering, ...],
        fields: dict[str, Any],
    ) -> Select[Any]:
        for clause in search.clauses:
            of_model = "number" not in fields
            statement = statement.where(
                compared(clause, fields, side.tagged(of_model=of_model), self._session)
            )
        return ordered(statement, fields, order, search.after, self._session).limit(search.limit)

    def _models(self, side: CatalogSide, rows: list[Row[Any]]) -> list[CatalogModel]:
        latest: dict[str, list[CatalogVersion]] = {row.name: [] for row in rows}
        if rows:
            for row in self._session.execute(side.latest(self._session, rows)):
                version = side.as_version(row)
                latest[version.model].append(version)
        return [_model(side, row, _newest(latest[row.name])) for row in rows]


def _newest(found: Iterable[CatalogVersion]) -> tuple[CatalogVersion, ...]:
    """Of several states that show as one stage, the newest version."""
    by_stage: dict[str, CatalogVersion] = {}
    for version in found:
        known = by_stage.get(version.stage)
        if known is None or known.number < version.number:
            by_stage[version.stage] = version
    return tuple(by_stage[stage] for stage in STAGES if stage in by_stage)


def _model(side: CatalogSide, row: Row[Any], latest: tuple[CatalogVersion, ...]) -> CatalogModel:
    aliases = json.loads(row.aliases or "{}")
    if row.champion is not None:
        aliases[CHAMPION_ALIAS] = row.champion
    return CatalogModel(
        name=row.name,
        kind=side.kind,
        created_at=row.created_at,
        updated_at=row.updated_at,
        description=row.description,
        tags=json.loads(row.tags or "{}"),
        aliases=aliases,
        latest=latest,
    )


def _whole(given: tuple[Ordering, ...], later: tuple[Ordering, ...]) -> tuple[Ordering, ...]:
    """The ordering with what settles ties behind it."""
    fields = {one.field for one in given}
    return (*given, *(one for one in later if one.field not in fields))


_MODEL_VALUES: dict[str, Callable[[Any], Any]] = {
    "name": lambda m: m.name,
    "created": lambda m: m.created_at,
    "updated": lambda m: m.updated_at,
}
_VERSION_VALUES: dict[str, Callable[[Any], Any]] = {
    "name": lambda v: v.model,
    "number": lambda v: v.number,
    "created": lambda v: v.created_at,
    "updated": lambda v: v.updated_at,
}


class _Reversed:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _merged(
    parts: list[list[Any]],
    order: tuple[Ordering, ...],
    limit: int,
    values: dict[str, Callable[[Any], Any]],
) -> list[Any]:
    def key(row: Any) -> tuple[Any, ...]:
        return tuple(
            _Reversed(values[one.field](row)) if one.descending else values[one.field](row)
            for one in order
        )

    if sum(1 for part in parts if part) <= 1:
        return next((part for part in parts if part), [])[:limit]
    return list(heapq.merge(*parts, key=key))[:limit]
