"""Tags and descriptions in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, select

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import (
    descriptions_table,
    models_table,
    tags_table,
    versions_table,
)
from controller.adapters.sql.types import storable
from controller.domain.errors import Conflict
from controller.ports import Tag


class SqlNotes:
    """One row a tag, one row a description."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def tag(self, tag: Tag) -> None:
        self._need(tag.model, tag.version)
        entry = self._session.insert(tags_table).values(
            model=tag.model,
            version=tag.version,
            name=tag.name,
            value=tag.value,
            actor=tag.actor,
            at=tag.at,
        )
        names = ("value", "actor", "at")
        self._session.execute(
            entry.on_conflict_do_update(
                index_elements=["model", "version", "name"],
                set_={name: entry.excluded[name] for name in names},
            )
        )

    def untag(self, model: str, version: int, name: str) -> bool:
        found = self._session.execute(
            delete(tags_table).where(
                tags_table.c.model == model,
                tags_table.c.version == version,
                tags_table.c.name == storable(name),
            )
        )
        return bool(found.rowcount)

    def tags(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, str]]:
        statement = select(tags_table.c.version, tags_table.c.name, tags_table.c.value).where(
            tags_table.c.model == model
        )
        if numbers is not None:
            statement = statement.where(tags_table.c.version.in_(numbers))
        found: dict[int, dict[str, str]] = {}
        for row in self._session.execute(
            statement.order_by(tags_table.c.version, tags_table.c.name)
        ):
            found.setdefault(row.version, {})[row.name] = row.value
        return found

    def describe(self, model: str, version: int, text: str, *, actor: str, at: datetime) -> None:
        self._need(model, version)
        if not text:
            self._session.execute(
                delete(descriptions_table).where(
                    descriptions_table.c.model == model, descriptions_table.c.version == version
                )
            )
            return
        entry = self._session.insert(descriptions_table).values(
            model=model, version=version, text=text, actor=actor, at=at
        )
        self._session.execute(
            entry.on_conflict_do_update(
                index_elements=["model", "version"],
                set_={name: entry.excluded[name] for name in ("text", "actor", "at")},
            )
        )

    def descriptions(self, model: str, numbers: Collection[int] | None = None) -> Mapping[int, str]:
        statement = select(descriptions_table).where(descriptions_table.c.model == model)
        if numbers is not None:
            statement = statement.where(descriptions_table.c.version.in_(numbers))
        return {row.version: row.text for row in self._session.execute(statement)}

    def tagged(self, name: str, value: str | None = None) -> list[tuple[str, int]]:
        statement = select(tags_table.c.model, tags_table.c.version).where(
            tags_table.c.name == storable(name)
        )
        if value is not None:
            statement = statement.where(tags_table.c.value == storable(value))
        rows = self._session.execute(statement)
        return sorted((row.model, row.version) for row in rows)

    def _need(self, model: str, version: int) -> None:
        if version:
            statement = select(versions_table.c.number).where(
                versions_table.c.model == model, versions_table.c.number == version
            )
        else:
            statement = select(models_table.c.model).where(models_table.c.model == model)
        if self._session.execute(statement).first() is None:
            raise Conflict(
                f"{model} has no version {version}." if version else f"There is no model {model}."
            )
