"""The registry in SQL. It writes facts and reigns; the guards move versions and the seat by them.

A change of champion is the insertion of one row, the reign: the guards compare its generation with the model's,
then set the seat and write the facts of the version that leaves and of the one that comes. So no writer, whoever it
is, can do one without the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Row,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from controller.adapters.sql.models import SqlModels
from controller.adapters.sql.session import LeavingChampion, SqlSession
from controller.adapters.sql.tables import (
    evaluations_table,
    models_table,
    reigns_table,
    version_facts_table,
    versions_table,
)
from controller.adapters.sql.types import storable
from controller.domain.codec import load_plain
from controller.domain.decisions import (
    MoveVersion,
    RecordEvaluation,
    RegisterVersion,
    SetChampion,
)
from controller.domain.errors import Conflict, IllegalTransition, StaleGeneration
from controller.domain.evidence import Evaluation
from controller.domain.versions import Reign, Version, VersionFact, VersionState, check_move
from controller.ports import Within

_VERSION = select(versions_table).where(
    versions_table.c.model == bindparam("asked"), versions_table.c.number == bindparam("wanted")
)
_SEAT = (
    select(models_table.c.generation, models_table.c.champion, versions_table.c.state)
    .outerjoin(
        versions_table,
        and_(
            versions_table.c.model == models_table.c.model,
            versions_table.c.number == bindparam("wanted"),
        ),
    )
    .where(models_table.c.model == bindparam("asked"))
    .with_for_update(of=models_table)
)
"""The seat, locked, and the state of the version that is to take it: None if there is none."""
_REIGN = insert(reigns_table)
_FACT = insert(version_facts_table)


class SqlRegistry:
    """Versions, their evaluations, and the seat."""

    def __init__(self, session: SqlSession, books: SqlModels) -> None:
        self._session = session
        self._models = books

    def register(
        self, model: str, action: RegisterVersion, *, decision: int, at: datetime
    ) -> Version:
        state = self._models.state(model)
        if action.version != state.next_version:
            raise Conflict(
                f"{model} v{action.version} cannot be entered: its next version is v{state.next_version}."
            )
        taken = select(versions_table.c.number).where(versions_table.c.run == action.run)
        if self._session.execute(taken).first() is not None:
            raise Conflict(f"Run {action.run} has brought a version before.")
        row = self._session.execute(
            insert(versions_table)
            .values(
                model=model,
                number=action.version,
                state=VersionState.CANDIDATE.value,
                state_since=at,
                run=action.run,
                digest=action.digest,
                recipe=action.recipe,
                size=action.size,
                data_through=action.data_through,
                metrics=action.metrics,
                lineage=action.lineage,
                created_at=at,
                decision=decision,
            )
            .returning(versions_table)
        ).one()
        self._fact(
            model=model,
            version=action.version,
            after=VersionState.CANDIDATE.value,
            actor="system",
            reason="It was trained.",
            decision=decision,
            at=at,
        )
        return version_of(row)

    def move(
        self, model: str, action: MoveVersion, *, decision: int, at: datetime, actor: str
    ) -> None:
        check_move(action.before, action.after)
        if action.after is VersionState.CHAMPION:
            raise IllegalTransition("A version becomes champion by a promotion, not by a move.")
        leaves = action.before is VersionState.CHAMPION
        if leaves and self._models.champion(model) == action.version:
            # The move is written when the next one sits down; without one the transaction cannot end.
            self._session.leaving[model] = LeavingChampion(action=action, actor=actor)
            return
        version = self._get(model, action.version)
        if leaves or version.state is not action.before:
            raise Conflict(f"{model} v{version.number} is {version.state}, not {action.before}.")
        self._fact(
            model=model,
            version=action.version,
            before=action.before.value,
            after=action.after.value,
            actor=actor,
            reason=action.reason,
            decision=decision,
            at=at,
        )

    def seat(self, model: str, action: SetChampion, *, decision: int, at: datetime) -> int:
        seen = self._seat(model, action.version)
        if seen.generation != action.generation or seen.champion != action.previous:
            raise StaleGeneration(
                f"{model} is at generation {seen.generation} with champion"
                f" {_name(seen.champion)}, not at {action.generation} with {_name(action.previous)}."
            )
        if seen.state is None:
            raise Conflict(f"{model} has no version {action.version}.")
        check_move(VersionState(seen.state), VersionState.CHAMPION)
        leaving = self._session.leaving.pop(model, None)
        if action.previous is not None and leaving is None:
            raise Conflict(f"{model} v{action.previous} is still champion; move it first.")
        if leaving is not None and leaving.action.version != action.previous:
            raise Conflict(f"{model} v{leaving.action.version} is not champion.")
        self._session.execute(
            _REIGN,
            {
                "model": model,
                "generation": action.generation + 1,
                "version": action.version,
                "previous": action.previous,
                "leaves": leaving.action.after.value if leaving else None,
                "leave_reason": leaving.action.reason if leaving else "",
                "cause": action.cause,
                "reason": action.reason,
                "actor": leaving.actor if leaving else "system",
                "decision": decision,
                "since": at,
            },
        )
        self._models.seated(model, action.version)
        return action.generation + 1

    def attach(self, model: str, action: RecordEvaluation, *, decision: int) -> None:
        self._get(model, action.evaluation.version)
        self._session.execute(
            insert(evaluations_table).values(
                model=model,
                version=action.evaluation.version,
                run=action.evaluation.run,
                evaluation=action.evaluation,
                decision=decision,
            )
        )

    def mark_verified(self, model: str, version: int, *, decision: int, at: datetime) -> None:
        self._get(model, version)
        self._session.execute(
            update(versions_table)
            .where(
                versions_table.c.model == model,
                versions_table.c.number == version,
                versions_table.c.verified.is_(False),
            )
            .values(verified=True, verified_at=at, verified_by=decision)
        )

    def versions(
        self,
        model: str,
        *,
        states: Collection[VersionState] | None = None,
        numbers: Collection[int] | None = None,
        within: Within | None = None,
        limit: int | None = None,
    ) -> list[Version]:
        statement = select(versions_table).where(
            versions_table.c.model == model, *_within(within or Within())
        )
        if states is not None:
            statement = statement.where(
                versions_table.c.state.in_([state.value for state in states])
            )
        if numbers is not None:
            statement = statement.where(versions_table.c.number.in_(numbers))
        statement = statement.order_by(versions_table.c.number.desc()).limit(limit)
        return [version_of(row) for row in self._session.execute(statement)]

    def measured(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Mapping[str, float]]:
        trained = select(versions_table.c.number, versions_table.c.metrics).where(
            versions_table.c.model == model
        )
        if numbers is not None:
            trained = trained.where(versions_table.c.number.in_(numbers))
        rows = self._session.execute(trained.order_by(versions_table.c.number.desc()))
        found = {row.number: row.metrics for row in rows}
        for row in self._judged(model, numbers):
            found[row.version] |= row.evaluation.get("metrics", {})
        return found

    def evaluations(
        self, model: str, numbers: Collection[int] | None = None
    ) -> Mapping[int, Evaluation]:
        rows = self._judged(model, numbers)
        return {row.version: load_plain(Evaluation, row.evaluation) for row in rows}

    def _judged(self, model: str, numbers: Collection[int] | None) -> CursorResult[Any]:
        """The newest evaluation of each version, newest version first."""
        newest = select(func.max(evaluations_table.c.id)).where(evaluations_table.c.model == model)
        if numbers is not None:
            newest = newest.where(evaluations_table.c.version.in_(numbers))
        newest = newest.group_by(evaluations_table.c.version)
        return self._session.execute(
            select(evaluations_table.c.version, evaluations_table.c.evaluation)
            .where(evaluations_table.c.id.in_(newest))
            .order_by(evaluations_table.c.version.desc())
        )

    def history(self, model: str, limit: int = 20) -> list[Reign]:
        rows = self._session.execute(
            select(reigns_table)
            .where(reigns_table.c.model == model)
            .order_by(reigns_table.c.generation.desc())
            .limit(limit)
        ).all()
        after = [None, *rows][: len(rows)]
        return [
            Reign(
                version=row.version,
                generation=row.generation,
                since=row.since,
                until=next_one.since if next_one else None,
                ended_by=next_one.cause if next_one else "",
            )
            for row, next_one in zip(rows, after, strict=True)
        ]

    def _seat(self, model: str, version: int) -> Row[Any]:
        asked = {"asked": model, "wanted": version}
        row = self._session.execute(_SEAT, asked).first()
        if row is None:
            self._models.state(model)
            row = self._session.execute(_SEAT, asked).one()
        return row

    def _get(self, model: str, number: int) -> Version:
        row = self._session.execute(_VERSION, {"asked": model, "wanted": number}).first()
        if row is None:
            raise Conflict(f"{model} has no version {number}.")
        return version_of(row)

    def _fact(self, **values: Any) -> None:
        self._session.execute(_FACT, values)


class SqlFacts:
    """Reads the facts."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session

    def of(self, model: str, version: int | None = None) -> list[VersionFact]:
        statement = select(version_facts_table).where(version_facts_table.c.model == model)
        if version is not None:
            statement = statement.where(version_facts_table.c.version == version)
        rows = self._session.execute(statement.order_by(version_facts_table.c.id))
        return [
            VersionFact(
                id=row.id,
                model=row.model,
                version=row.version,
                before=VersionState(row.before) if row.before else None,
                after=VersionState(row.after),
                actor=row.actor,
                reason=row.reason,
                decision=row.decision,
                at=row.at,
            )
            for row in rows
        ]


def _within(within: Within) -> Iterator[ColumnElement[bool]]:
    if within.data is not None:
        yield versions_table.c.data_through == within.data
    if within.digest is not None:
        yield func.substr(versions_table.c.digest, 1, len(within.digest)) == storable(within.digest)
    if within.since is not None:
        yield versions_table.c.created_at >= within.since
    if within.until is not None:
        yield versions_table.c.created_at < within.until


def version_of(row: Row[Any]) -> Version:
    """A row of the table of versions as the value that it stands for."""
    return Version(
        model=row.model,
        number=row.number,
        state=VersionState(row.state),
        run=row.run,
        digest=row.digest,
        recipe=row.recipe,
        created_at=row.created_at,
        size=row.size,
        data_through=row.data_through,
        metrics=row.metrics,
        lineage=row.lineage,
        decision=row.decision,
        verified=row.verified,
        promoted_at=row.promoted_at,
        state_since=row.state_since,
        sunset=row.sunset,
        sunset_firm=row.sunset_firm,
    )


def _name(version: int | None) -> str:
    return "none" if version is None else f"v{version}"
