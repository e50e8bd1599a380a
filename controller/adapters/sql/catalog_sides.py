"""Where the catalogue's rows come from: our own versions on the governed side, the free tables on the other.

Both sides select columns of the same names, so that whoever reads them need not know which side it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy import Text as SqlText

from controller.adapters.sql.catalog_text import Tagged
from controller.adapters.sql.free_tables import (
    free_aliases,
    free_models,
    free_tags,
    free_versions,
)
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import (
    active_rules_table,
    aliases_table,
    descriptions_table,
    models_table,
    tags_table,
    versions_table,
)
from controller.adapters.sql.types import UtcTime
from controller.domain.catalog import (
    CHAMPION_ALIAS,
    STAGES,
    STATE_TAG,
    CatalogKind,
    CatalogVersion,
    stage_of,
)
from controller.domain.versions import VersionState

_Value = Callable[[ColumnElement[Any]], ColumnElement[bool]]


def as_object(
    session: SqlSession,
    key: ColumnElement[Any],
    value: ColumnElement[Any],
    where: ColumnElement[bool],
) -> ColumnElement[Any]:
    """The rows as one JSON object, as text."""
    if session.postgres:
        return (
            select(cast(func.json_object_agg(key, value), SqlText)).where(where).scalar_subquery()
        )
    return select(func.json_group_object(key, value)).where(where).scalar_subquery()


def as_array(
    session: SqlSession, value: ColumnElement[Any], where: ColumnElement[bool]
) -> ColumnElement[Any]:
    """The rows as one JSON array, as text."""
    if session.postgres:
        return select(cast(func.json_agg(value), SqlText)).where(where).scalar_subquery()
    return select(func.json_group_array(value)).where(where).scalar_subquery()


class FreeSide:
    """Models without a policy."""

    kind: CatalogKind = "free"
    model_fields: dict[str, Any] = {  # noqa: RUF012 - never written
        "name": free_models.c.name,
        "created": free_models.c.created_at,
        "updated": free_models.c.updated_at,
    }
    version_fields: dict[str, Any] = {  # noqa: RUF012 - never written
        "name": free_models.c.name,
        "number": free_versions.c.number,
        "created": free_versions.c.created_at,
        "updated": free_versions.c.updated_at,
        "run": free_versions.c.run,
        "source": free_versions.c.source,
    }

    @staticmethod
    def models(session: SqlSession) -> Select[Any]:
        """Every model with its tags and aliases."""
        tagged, named = free_tags.c, free_aliases.c
        mine = free_models.c.id
        return select(
            free_models.c.id,
            free_models.c.name,
            free_models.c.created_at,
            free_models.c.updated_at,
            free_models.c.description,
            null().label("champion"),
            as_object(
                session, tagged.key, tagged.value, and_(tagged.model == mine, tagged.number == 0)
            ).label("tags"),
            as_object(session, named.alias, named.number, named.model == mine).label("aliases"),
        ).where(free_models.c.deleted_at.is_(None))

    @staticmethod
    def versions(session: SqlSession) -> Select[Any]:
        """Every version with its tags and aliases."""
        tagged, named = free_tags.c, free_aliases.c
        mine, number = free_versions.c.model, free_versions.c.number
        return (
            select(
                free_models.c.name,
                free_versions,
                as_object(
                    session,
                    tagged.key,
                    tagged.value,
                    and_(tagged.model == mine, tagged.number == number),
                ).label("tags"),
                as_array(
                    session, named.alias, and_(named.model == mine, named.number == number)
                ).label("aliases"),
            )
            .join(free_models, free_models.c.id == mine)
            .where(free_versions.c.deleted_at.is_(None))
        )

    @staticmethod
    def pointed(*, champion: bool) -> ColumnElement[bool]:
        """That a version is the one which the alias ``:alias`` of the model ``:asked`` points at."""
        del champion  # here it is an alias like any other
        model = (
            select(free_models.c.id)
            .where(free_models.c.name == bindparam("asked"), free_models.c.deleted_at.is_(None))
            .scalar_subquery()
        )
        number = select(free_aliases.c.number).where(
            free_aliases.c.model == model, free_aliases.c.alias == bindparam("alias")
        )
        return and_(
            free_versions.c.model == model, free_versions.c.number == number.scalar_subquery()
        )

    @classmethod
    def latest(cls, session: SqlSession, rows: list[Row[Any]]) -> Select[Any]:
        """The newest version of each stage of these models, each by one look into an index."""
        stages = union_all(*(select(literal(stage).label("stage")) for stage in STAGES)).subquery()
        other = free_versions.alias("other")
        newest = (
            select(func.max(other.c.number))
            .where(
                other.c.model == free_models.c.id,
                other.c.stage == stages.c.stage,
                other.c.deleted_at.is_(None),
            )
            .correlate(free_models, stages)
            .scalar_subquery()
        )
        return (
            cls.versions(session)
            .join(stages, literal(value=True))
            .where(
                free_models.c.id.in_([row.id for row in rows]),
                free_versions.c.number == newest,
                free_versions.c.stage == stages.c.stage,
            )
        )

    @staticmethod
    def tagged(*, of_model: bool) -> Tagged:
        """Whether a version (or a model) has a tag whose value holds."""
        mine = free_models.c.id if of_model else free_versions.c.model
        number: Any = literal(0) if of_model else free_versions.c.number

        def has(key: str, holds: _Value) -> ColumnElement[bool]:
            rows = free_tags.c
            return (
                select(rows.key)
                .where(
                    rows.model == mine, rows.number == number, rows.key == key, holds(rows.value)
                )
                .exists()
            )

        return has

    @staticmethod
    def as_version(row: Row[Any]) -> CatalogVersion:
        """A row as a version."""
        return CatalogVersion(
            model=row.name,
            number=row.number,
            kind="free",
            stage=row.stage,
            created_at=row.created_at,
            updated_at=row.updated_at,
            description=row.description,
            source=row.source,
            storage=row.storage,
            run=row.run,
            run_link=row.run_link,
            model_id=row.model_id,
            author=row.author,
            tags=json.loads(row.tags or "{}"),
            aliases=tuple(sorted(json.loads(row.aliases or "[]"))),
        )


_first = versions_table.alias("first")
_newest = versions_table.alias("newest")
_CREATED = func.coalesce(
    select(_first.c.created_at)
    .where(_first.c.model == models_table.c.model, _first.c.number == 1)
    .scalar_subquery(),
    active_rules_table.c.activated_at,
    type_=UtcTime,
)
_UPDATED = func.coalesce(
    select(_newest.c.state_since)
    .where(
        _newest.c.model == models_table.c.model, _newest.c.number == models_table.c.next_version - 1
    )
    .scalar_subquery(),
    active_rules_table.c.activated_at,
    type_=UtcTime,
)
_GOVERNED = or_(models_table.c.next_version > 1, active_rules_table.c.model.is_not(None))


def _described(model: Any, version: Any) -> ColumnElement[Any]:
    return func.coalesce(
        select(descriptions_table.c.text)
        .where(descriptions_table.c.model == model, descriptions_table.c.version == version)
        .scalar_subquery(),
        "",
    )


class GovernedSide:
    """Models with a policy, or with versions of ours."""

    kind: CatalogKind = "governed"
    model_fields: dict[str, Any] = {  # noqa: RUF012 - never written
        "name": models_table.c.model,
        "created": _CREATED,
        "updated": _UPDATED,
    }
    version_fields: dict[str, Any] = {  # noqa: RUF012 - never written
        "name": versions_table.c.model,
        "number": versions_table.c.number,
        "created": versions_table.c.created_at,
        "updated": versions_table.c.state_since,
        "run": versions_table.c.run,
        "source": literal("sha256:") + versions_table.c.digest,
    }

    @staticmethod
    def known(name: str) -> Select[Any]:
        """A row if the name is governed."""
        return (
            select(models_table.c.model)
            .outerjoin(active_rules_table, active_rules_table.c.model == models_table.c.model)
            .where(models_table.c.model == name, _GOVERNED)
        )

    @staticmethod
    def pointed(*, champion: bool) -> ColumnElement[bool]:
        """That a version is the one which the alias ``:alias`` of the model ``:asked`` points at."""
        model = bindparam("asked", type_=SqlText)
        number = select(aliases_table.c.version).where(
            aliases_table.c.model == model, aliases_table.c.name == bindparam("alias")
        )
        if champion:
            number = select(models_table.c.champion).where(models_table.c.model == model)
        return and_(
            versions_table.c.model == model, versions_table.c.number == number.scalar_subquery()
        )

    @staticmethod
    def models(session: SqlSession) -> Select[Any]:
        """Every model."""
        mine = models_table.c.model
        return (
            select(
                mine.label("name"),
                _CREATED.label("created_at"),
                _UPDATED.label("updated_at"),
                _described(mine, literal(0)).label("description"),
                models_table.c.champion,
                as_object(
                    session,
                    tags_table.c.name,
                    tags_table.c.value,
                    and_(tags_table.c.model == mine, tags_table.c.version == 0),
                ).label("tags"),
                as_object(
                    session,
                    aliases_table.c.name,
                    aliases_table.c.version,
                    and_(aliases_table.c.model == mine, aliases_table.c.version.is_not(None)),
                ).label("aliases"),
            )
            .outerjoin(active_rules_table, active_rules_table.c.model == models_table.c.model)
            .where(_GOVERNED)
        )

    @staticmethod
    def versions(session: SqlSession) -> Select[Any]:
        """Every version."""
        mine, number = versions_table.c.model, versions_table.c.number
        return select(
            mine.label("name"),
            versions_table.c.number,
            versions_table.c.state,
            versions_table.c.state_since,
            versions_table.c.created_at,
            versions_table.c.run,
            versions_table.c.digest,
            versions_table.c.recipe,
            _described(mine, number).label("description"),
            as_object(
                session,
                tags_table.c.name,
                tags_table.c.value,
                and_(tags_table.c.model == mine, tags_table.c.version == number),
            ).label("tags"),
            as_array(
                session,
                aliases_table.c.name,
                and_(aliases_table.c.model == mine, aliases_table.c.version == number),
            ).label("aliases"),
        )

    @classmethod
    def latest(cls, session: SqlSession, rows: list[Row[Any]]) -> Select[Any]:
        """The newest version of each state of these models."""
        states = union_all(
            *(select(literal(state.value).label("state")) for state in VersionState)
        ).subquery()
        other = versions_table.alias("other")
        newest = (
            select(func.max(other.c.number))
            .where(other.c.model == models_table.c.model, other.c.state == states.c.state)
            .correlate(models_table, states)
            .scalar_subquery()
        )
        return (
            cls.versions(session)
            .join(models_table, models_table.c.model == versions_table.c.model)
            .join(states, literal(value=True))
            .where(
                models_table.c.model.in_([row.name for row in rows]),
                versions_table.c.number == newest,
                versions_table.c.state == states.c.state,
            )
        )

    @staticmethod
    def tagged(*, of_model: bool) -> Tagged:
        """Whether a version (or a model) has a tag whose value holds; a version's state is one."""

        def has(key: str, holds: _Value) -> ColumnElement[bool]:
            if key == STATE_TAG:
                return false() if of_model else holds(versions_table.c.state)
            mine = models_table.c.model if of_model else versions_table.c.model
            number: Any = literal(0) if of_model else versions_table.c.number
            return (
                select(tags_table.c.name)
                .where(
                    tags_table.c.model == mine,
                    tags_table.c.version == number,
                    tags_table.c.name == key,
                    holds(tags_table.c.value),
                )
                .exists()
            )

        return has

    @staticmethod
    def as_version(row: Row[Any]) -> CatalogVersion:
        """A row as a version."""
        state = VersionState(row.state)
        aliases = json.loads(row.aliases or "[]")
        if state is VersionState.CHAMPION:
            aliases.append(CHAMPION_ALIAS)
        return CatalogVersion(
            model=row.name,
            number=row.number,
            kind="governed",
            stage=stage_of(state),
            created_at=row.created_at,
            updated_at=row.state_since,
            description=row.description,
            source=f"sha256:{row.digest}",
            run=row.run,
            digest=row.digest,
            tags={
                **json.loads(row.tags or "{}"),
                STATE_TAG: row.state,
                "incumbent.recipe": row.recipe,
            },
            aliases=tuple(sorted(aliases)),
        )


CatalogSide = type[FreeSide] | type[GovernedSide]
SIDES: tuple[CatalogSide, ...] = (GovernedSide, FreeSide)
