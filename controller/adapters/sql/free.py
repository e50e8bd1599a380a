"""The book of free models in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, select, update

from controller.adapters.sql.free_tables import (
    free_aliases,
    free_models,
    free_tags,
    free_versions,
)
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.types import storable
from controller.domain.catalog import ARCHIVED, NewFreeVersion
from controller.domain.errors import AlreadyExists, Conflict, NotFound


def id_of(name: str) -> Select[Any]:
    """The id of the model with that name: a subquery, so that the database finds a version by its primary key."""
    return select(free_models.c.id).where(
        free_models.c.name == storable(name), free_models.c.deleted_at.is_(None)
    )


def no_model(name: str) -> NotFound:
    """The error for a model that is not there."""
    return NotFound(f"Registered Model with name={name} not found")


def no_version(name: str, number: int) -> NotFound:
    """The error for a version that is not there."""
    return NotFound(f"Model Version (name={name}, version={number}) not found")


class SqlFreeModels:
    """Writes free models. What is deleted keeps its row, so that its numbers are not given again."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def add_model(
        self, name: str, *, description: str, tags: Mapping[str, str], at: datetime
    ) -> None:
        self._need_free_name(name)
        used = self._session.execute(
            select(func.max(free_models.c.next_version)).where(free_models.c.name == storable(name))
        ).scalar()
        model = self._session.execute(
            insert(free_models)
            .values(
                name=name,
                created_at=at,
                updated_at=at,
                description=description,
                next_version=used or 1,
            )
            .returning(free_models.c.id)
        ).scalar_one()
        self._put_tags(model, 0, tags)

    def change_model(
        self,
        name: str,
        *,
        at: datetime,
        description: str | None = None,
        new_name: str | None = None,
    ) -> None:
        values: dict[str, Any] = {"updated_at": at}
        if description is not None:
            values["description"] = description
        model = self._model(name)
        if new_name is not None and new_name != name:
            self._need_free_name(new_name)
            used = self._session.execute(
                select(func.max(free_models.c.next_version)).where(
                    free_models.c.name == storable(new_name)
                )
            ).scalar()
            values["name"] = new_name
            if used:
                values["next_version"] = func.greatest(free_models.c.next_version, used)
                if not self._session.postgres:
                    values["next_version"] = func.max(free_models.c.next_version, used)
        self._session.execute(update(free_models).where(free_models.c.id == model).values(**values))

    def remove_model(self, name: str, at: datetime) -> None:
        model = self._model(name)
        gone = {"deleted_at": at}
        self._session.execute(update(free_models).where(free_models.c.id == model).values(**gone))
        self._session.execute(
            update(free_versions)
            .where(free_versions.c.model == model, free_versions.c.deleted_at.is_(None))
            .values(**gone)
        )
        self._session.execute(delete(free_aliases).where(free_aliases.c.model == model))

    def add_version(self, name: str, version: NewFreeVersion, at: datetime) -> int:
        following = version.number + 1 if version.number else free_models.c.next_version + 1
        row = self._session.execute(
            update(free_models)
            .where(
                free_models.c.name == storable(name),
                free_models.c.deleted_at.is_(None),
                free_models.c.next_version < following,
            )
            .values(next_version=following, updated_at=at)
            .returning(free_models.c.id, free_models.c.next_version)
        ).first()
        if row is None:
            self._model(name)
            raise Conflict(f"{name} has given the number {version.number} before.")
        number: int = row.next_version - 1
        self._session.execute(
            insert(free_versions).values(
                model=row.id,
                number=number,
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
            )
        )
        self._put_tags(row.id, number, version.tags)
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
        model = self._version(name, number)
        values: dict[str, Any] = {"updated_at": at}
        if description is not None:
            values["description"] = description
        if stage is not None:
            values["stage"] = stage
            self._touch(model, at)
            if alone:
                self._session.execute(
                    update(free_versions)
                    .where(
                        free_versions.c.model == model,
                        free_versions.c.stage == stage,
                        free_versions.c.number != number,
                        free_versions.c.deleted_at.is_(None),
                    )
                    .values(stage=ARCHIVED, updated_at=at)
                )
        self._session.execute(
            update(free_versions)
            .where(free_versions.c.model == model, free_versions.c.number == number)
            .values(**values)
        )

    def remove_version(self, name: str, number: int, at: datetime) -> None:
        model = self._version(name, number)
        self._session.execute(
            update(free_versions)
            .where(free_versions.c.model == model, free_versions.c.number == number)
            .values(deleted_at=at)
        )
        self._session.execute(
            delete(free_aliases).where(
                free_aliases.c.model == model, free_aliases.c.number == number
            )
        )
        self._touch(model, at)

    def tag(self, name: str, number: int, key: str, value: str | None) -> None:
        model = self._version(name, number) if number else self._model(name)
        if value is not None:
            self._put_tags(model, number, {key: value})
            return
        self._session.execute(
            delete(free_tags).where(
                free_tags.c.model == model,
                free_tags.c.number == number,
                free_tags.c.key == storable(key),
            )
        )

    def point(self, name: str, alias: str, number: int | None) -> None:
        if number is None:
            self._session.execute(
                delete(free_aliases).where(
                    free_aliases.c.model == self._model(name),
                    free_aliases.c.alias == storable(alias),
                )
            )
            return
        new = self._session.insert(free_aliases).values(
            model=self._version(name, number), alias=alias, number=number
        )
        self._session.execute(
            new.on_conflict_do_update(
                index_elements=["model", "alias"], set_={"number": new.excluded.number}
            )
        )

    def _put_tags(self, model: int, number: int, tags: Mapping[str, str]) -> None:
        if not tags:
            return
        rows = [
            {"model": model, "number": number, "key": key, "value": value}
            for key, value in tags.items()
        ]
        new = self._session.insert(free_tags)
        self._session.execute(
            new.on_conflict_do_update(
                index_elements=["model", "number", "key"], set_={"value": new.excluded.value}
            ),
            rows,
        )

    def _touch(self, model: int, at: datetime) -> None:
        self._session.execute(
            update(free_models).where(free_models.c.id == model).values(updated_at=at)
        )

    def _model(self, name: str) -> int:
        found = self._locked(id_of(name), free_models).scalar()
        if found is None:
            raise no_model(name)
        return int(found)

    def _version(self, name: str, number: int) -> int:
        """The id of the version's model; the version is locked until the transaction ends."""
        model = self._model(name)
        found = self._locked(
            select(free_versions.c.number).where(
                free_versions.c.model == model,
                free_versions.c.number == number,
                free_versions.c.deleted_at.is_(None),
            ),
            free_versions,
        ).scalar()
        if found is None:
            raise no_version(name, number)
        return model

    def _locked(self, statement: Select[Any], table: Table) -> Any:
        return self._session.execute(statement.with_for_update(of=table))

    def _need_free_name(self, name: str) -> None:
        if self._session.execute(id_of(name)).scalar() is not None:
            raise AlreadyExists(f"Registered Model (name={name}) already exists.")
