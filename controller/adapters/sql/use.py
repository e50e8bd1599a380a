"""Aliases, consumers, holds and removals in SQL. The guards move an alias by its move, as they do the seat."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert, literal, select, update

from controller.adapters.sql.models import SqlModels
from controller.adapters.sql.registry import version_of
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import (
    alias_moves_table,
    aliases_table,
    consumers_table,
    models_table,
    removals_table,
    version_keeps_table,
    versions_table,
)
from controller.adapters.sql.types import storable
from controller.domain import codec
from controller.domain.decisions import (
    KeepVersion,
    LetGo,
    RemoveArtifact,
    SetAlias,
    SetSunset,
)
from controller.domain.errors import Conflict, StaleGeneration
from controller.domain.rollout import RolloutView
from controller.domain.use import (
    RESERVED_ALIAS,
    Alias,
    AliasMove,
    Consumer,
    Keep,
    Removal,
    check_alias,
)
from controller.domain.versions import Version
from controller.ports import Resolved

# Built once: a statement that is kept keeps its cache key, and building one costs more than running it.
_CHAMPION = (
    select(versions_table, models_table.c.generation, models_table.c.rollout)
    .join(
        versions_table,
        and_(
            versions_table.c.model == models_table.c.model,
            versions_table.c.number == models_table.c.champion,
        ),
    )
    .where(models_table.c.model == bindparam("asked"))
)
_NUMBERED = select(versions_table, literal(0).label("generation")).where(
    versions_table.c.model == bindparam("asked"), versions_table.c.number == bindparam("wanted")
)
_NAMED = (
    select(versions_table, aliases_table.c.generation)
    .join(
        versions_table,
        and_(
            versions_table.c.model == aliases_table.c.model,
            versions_table.c.number == aliases_table.c.version,
        ),
    )
    .where(aliases_table.c.model == bindparam("asked"), aliases_table.c.name == bindparam("wanted"))
)


class SqlAliases:
    """Aliases and their moves."""

    def __init__(self, session: SqlSession, books: SqlModels) -> None:
        self._session = session
        self._models = books

    def resolve(self, model: str, name: str) -> Resolved | None:
        digits = name.removeprefix("v").removeprefix("V")
        asked: dict[str, str | int] = {"asked": model}
        if name == RESERVED_ALIAS:
            statement = _CHAMPION
        elif digits.isdecimal():
            if len(digits) > 9:
                return None
            statement = _NUMBERED
            asked["wanted"] = int(digits)
        else:
            statement = _NAMED
            asked["wanted"] = storable(name)
        row = self._session.execute(statement, asked).first()
        if row is None:
            return None
        held = row.rollout if name == RESERVED_ALIAS else None
        return Resolved(
            name=name,
            generation=row.generation,
            version=version_of(row),
            rollout=codec.load_plain(RolloutView, held) if held else None,
        )

    def set(
        self, model: str, action: SetAlias, *, decision: int, at: datetime, actor: str
    ) -> Alias:
        check_alias(action.alias)
        self._models.state(model)
        seen = self.get(model, action.alias)
        generation, version = (seen.generation, seen.version) if seen else (0, None)
        if (generation, version) != (action.generation, action.previous):
            raise StaleGeneration(
                f"{model}@{action.alias} is at generation {generation} with {_name(version)},"
                f" not at {action.generation} with {_name(action.previous)}."
            )
        self._session.execute(
            insert(alias_moves_table).values(
                model=model,
                name=action.alias,
                generation=action.generation + 1,
                version=action.version,
                previous=action.previous,
                actor=actor,
                reason=action.reason,
                decision=decision,
                at=at,
            )
        )
        return Alias(
            model=model,
            name=action.alias,
            generation=action.generation + 1,
            version=action.version,
            at=at,
        )

    def get(self, model: str, name: str) -> Alias | None:
        row = self._session.execute(
            select(aliases_table).where(
                aliases_table.c.model == model, aliases_table.c.name == storable(name)
            )
        ).first()
        return None if row is None else Alias(**row._asdict())

    def of(self, model: str) -> list[Alias]:
        rows = self._session.execute(
            select(aliases_table)
            .where(aliases_table.c.model == model, aliases_table.c.version.is_not(None))
            .order_by(aliases_table.c.name)
        )
        return sorted((Alias(**row._asdict()) for row in rows), key=lambda alias: alias.name)

    def moves(self, model: str, name: str | None = None) -> list[AliasMove]:
        statement = select(alias_moves_table).where(alias_moves_table.c.model == model)
        if name is not None:
            statement = statement.where(alias_moves_table.c.name == storable(name))
        rows = self._session.execute(statement.order_by(alias_moves_table.c.id))
        return [AliasMove(**row._asdict()) for row in rows]


class SqlConsumers:
    """One row a consumer and version."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def renew(self, lease: Consumer, *, downloads: int = 0) -> Consumer:
        resolved = 0 if downloads else 1
        entry = self._session.insert(consumers_table).values(
            model=lease.model,
            name=lease.name,
            version=lease.version,
            selector=lease.selector,
            actor=lease.actor,
            since=lease.since,
            seen_at=lease.seen_at,
            until=lease.until,
            resolves=resolved,
            downloads=downloads,
        )
        later = entry.excluded.until > consumers_table.c.until
        row = self._session.execute(
            entry.on_conflict_do_update(
                index_elements=["model", "name", "version"],
                set_={
                    "selector": entry.excluded.selector,
                    "actor": entry.excluded.actor,
                    "seen_at": entry.excluded.seen_at,
                    "until": _later(later, entry.excluded.until),
                    "resolves": consumers_table.c.resolves + resolved,
                    "downloads": consumers_table.c.downloads + downloads,
                },
            ).returning(consumers_table)
        ).one()
        return _consumer(row)

    def release(self, model: str, name: str, at: datetime) -> int:
        found = self._session.execute(
            update(consumers_table)
            .where(
                consumers_table.c.model == model,
                consumers_table.c.name == storable(name),
                consumers_table.c.until > at,
            )
            .values(until=at)
        )
        return found.rowcount

    def of(self, model: str, *, live_at: datetime | None = None) -> list[Consumer]:
        statement = select(consumers_table).where(consumers_table.c.model == model)
        if live_at is not None:
            statement = statement.where(consumers_table.c.until > live_at)
        found = [_consumer(row) for row in self._session.execute(statement)]
        return sorted(found, key=lambda lease: (-lease.version, lease.name))

    def by_name(self, name: str) -> list[Consumer]:
        rows = self._session.execute(
            select(consumers_table).where(consumers_table.c.name == storable(name))
        )
        found = [_consumer(row) for row in rows]
        return sorted(found, key=lambda lease: (lease.model, -lease.version))


class SqlKeeps:
    """Holds on versions, sunsets and removals."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def keep(self, model: str, action: KeepVersion, *, decision: int, at: datetime) -> None:
        standing = [keep for keep in self.of(model) if keep.version == action.version]
        if standing:
            raise Conflict(f"{model} v{action.version} is on hold already.")
        self._session.execute(
            insert(version_keeps_table).values(
                model=model,
                version=action.version,
                reason=action.reason,
                actor=action.actor,
                since=at,
                decision=decision,
            )
        )

    def let_go(self, model: str, action: LetGo, *, decision: int, at: datetime) -> None:
        found = self._session.execute(
            update(version_keeps_table)
            .where(
                version_keeps_table.c.model == model,
                version_keeps_table.c.version == action.version,
                version_keeps_table.c.lifted_at.is_(None),
            )
            .values(lifted_at=at, lifted_by=decision)
        )
        if not found.rowcount:
            raise Conflict(f"{model} v{action.version} is not on hold.")

    def of(self, model: str, *, lifted: bool = False) -> list[Keep]:
        statement = select(version_keeps_table).where(version_keeps_table.c.model == model)
        if not lifted:
            statement = statement.where(version_keeps_table.c.lifted_at.is_(None))
        rows = self._session.execute(statement.order_by(version_keeps_table.c.id))
        return [
            Keep(
                model=row.model,
                version=row.version,
                reason=row.reason,
                actor=row.actor,
                since=row.since,
                lifted_at=row.lifted_at,
            )
            for row in rows
        ]

    def sunset(self, model: str, action: SetSunset, *, decision: int) -> None:
        del decision  # what is decided stands in the log; this row only says where it led
        found = self._session.execute(
            update(versions_table)
            .where(versions_table.c.model == model, versions_table.c.number == action.version)
            .values(sunset=action.at, sunset_firm=action.firm)
        )
        if not found.rowcount:
            raise Conflict(f"{model} has no version {action.version}.")

    def remove(self, model: str, action: RemoveArtifact, *, decision: int, at: datetime) -> None:
        self._session.execute(
            insert(removals_table).values(
                model=model, version=action.version, digest=action.digest, at=at, decision=decision
            )
        )

    def removals(self, model: str | None = None, *, undone: bool = False) -> list[Removal]:
        statement = select(removals_table)
        if model is not None:
            statement = statement.where(removals_table.c.model == model)
        if undone:
            statement = statement.where(removals_table.c.done_at.is_(None))
        ordered = statement.order_by(
            removals_table.c.decision, removals_table.c.model, removals_table.c.version
        )
        return [Removal(**row._asdict()) for row in self._session.execute(ordered)]

    def removed(self, model: str, version: int, at: datetime) -> None:
        self._session.execute(
            update(removals_table)
            .where(
                removals_table.c.model == model,
                removals_table.c.version == version,
                removals_table.c.done_at.is_(None),
            )
            .values(done_at=at)
        )

    def users_of(self, digest: str) -> list[Version]:
        gone = select(literal(1)).where(
            removals_table.c.model == versions_table.c.model,
            removals_table.c.version == versions_table.c.number,
        )
        rows = self._session.execute(
            select(versions_table)
            .where(versions_table.c.digest == digest, ~gone.exists())
            .order_by(versions_table.c.model, versions_table.c.number)
        )
        return [version_of(row) for row in rows]


def _later(later: Any, until: Any) -> Any:
    from sqlalchemy import case

    return case((later, until), else_=consumers_table.c.until)


def _consumer(row: Row[Any]) -> Consumer:
    return Consumer(**row._asdict())


def _name(version: int | None) -> str:
    return "no version" if version is None else f"v{version}"
