"""The models' control rows in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Row,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.signals import WAITS
from controller.adapters.sql.tables import (
    approvals_table,
    budget_tests_table,
    models_table,
    signals_table,
    versions_table,
)
from controller.adapters.sql.types import is_one_of
from controller.domain import codec
from controller.domain.canonical import parse_time, to_plain
from controller.domain.decisions import RecordApproval, RecordTest
from controller.domain.rollout import RolloutView
from controller.domain.signals import URGENT
from controller.domain.snapshot import ApprovalView, BudgetView, HoldView, RestView
from controller.domain.versions import UNDECIDED, VersionState
from controller.ports import ModelState, Waiting

_STATE = select(models_table).where(models_table.c.model == bindparam("asked"))


class SqlModels:
    """One row a model, made when it is first asked for."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session
        self._seen: dict[str, int | None] = {}

    def champion(self, model: str) -> int | None:
        """Who sat in the seat when this transaction last looked; a seat that was taken since is seen by its lock."""
        if model not in self._seen:
            self.state(model)
        return self._seen[model]

    def seated(self, model: str, version: int) -> None:
        """This transaction has put ``version`` into the seat."""
        self._seen[model] = version

    def state(self, model: str) -> ModelState:
        asked = {"asked": model}
        row = self._session.execute(_STATE, asked).first()
        if row is None and self._session.writes:
            new = self._session.insert(models_table).values(model=model)
            self._session.execute(new.on_conflict_do_nothing(index_elements=["model"]))
            row = self._session.execute(_STATE, asked).first()
        self._seen[model] = row.champion if row is not None else None
        if row is None:
            return ModelState(model=model)
        levels = self._levels(model) if row.tests else {}
        return _state(row, levels.get(model, {}))

    def all(self, *, troubled: bool = False) -> list[ModelState]:
        levels = self._levels()
        wanted = select(models_table)
        if troubled:
            wanted = wanted.where(
                or_(models_table.c.hold_reason.is_not(None), models_table.c.error.is_not(None))
            )
        rows = self._session.execute(wanted)
        states = [_state(row, levels.get(row.model, {})) for row in rows]
        return sorted(states, key=lambda state: state.model)

    def _levels(self, model: str | None = None) -> dict[str, dict[str, float]]:
        """The newest level of each version that may be judged again, by model."""
        statement = (
            select(
                budget_tests_table.c.model, budget_tests_table.c.version, budget_tests_table.c.level
            )
            .join(
                versions_table,
                and_(
                    versions_table.c.model == budget_tests_table.c.model,
                    versions_table.c.number == budget_tests_table.c.version,
                ),
            )
            .where(versions_table.c.state.in_([state.value for state in UNDECIDED]))
            .order_by(budget_tests_table.c.number)
        )
        if model is not None:
            statement = statement.where(versions_table.c.model == model)
        levels: dict[str, dict[str, float]] = {}
        for row in self._session.execute(statement):
            levels.setdefault(row.model, {})[str(row.version)] = row.level
        return levels

    def due(self, now: datetime, limit: int = 100) -> list[str]:
        rests = and_(models_table.c.error.is_not(None), models_table.c.wake_at > now)
        resting = select(models_table.c.model).where(rests)
        waiting = union_all(
            select(signals_table.c.model, func.min(signals_table.c.received_at).label("since"))
            .where(signals_table.c.status == "open", signals_table.c.model.not_in(resting))
            .group_by(signals_table.c.model),
            select(signals_table.c.model, func.min(signals_table.c.received_at))
            .where(
                WAITS,
                signals_table.c.model.in_(resting),
                is_one_of(signals_table.c.kind, *sorted(URGENT)),
            )
            .group_by(signals_table.c.model),
            select(models_table.c.model, models_table.c.wake_at).where(
                models_table.c.wake_at <= now
            ),
        ).subquery()
        oldest = func.min(waiting.c.since)
        rows = self._session.execute(
            select(waiting.c.model)
            .group_by(waiting.c.model)
            .order_by(oldest, waiting.c.model)
            .limit(limit)
        )
        return [row.model for row in rows]

    def waiting(self, limit: int = 100) -> list[Waiting]:
        # The state is written out: a bound one would hide the partial index from the planner.
        challenger = versions_table.c.state == literal_column(repr(VersionState.CHALLENGER.value))
        rows = self._session.execute(
            select(versions_table.c.model, versions_table.c.number, versions_table.c.state_since)
            .where(challenger)
            .order_by(versions_table.c.state_since, versions_table.c.model, versions_table.c.number)
            .limit(limit)
        )
        return [Waiting(model=r.model, version=r.number, since=r.state_since) for r in rows]

    def update(self, model: str, **changes: Any) -> None:
        self.state(model)
        self._session.execute(
            update(models_table).where(models_table.c.model == model).values(**_columns(changes))
        )

    def record_test(self, model: str, test: RecordTest, *, decision: int) -> None:
        self.state(model)
        book = self._session.execute(
            select(models_table.c.tests, models_table.c.rejections)
            .where(models_table.c.model == model)
            .with_for_update()
        ).one()
        self._session.execute(
            insert(budget_tests_table).values(
                model=model,
                number=book.tests,
                version=test.version,
                level=test.level,
                rejected=test.rejected,
                decision=decision,
            )
        )
        kept = [*book.rejections, book.tests] if test.rejected else book.rejections
        self._session.execute(
            update(models_table)
            .where(models_table.c.model == model)
            .values(tests=book.tests + 1, rejections=kept)
        )

    def record_approval(
        self, model: str, approval: RecordApproval, *, decision: int, at: datetime
    ) -> None:
        self._session.execute(
            insert(approvals_table).values(
                model=model,
                version=approval.version,
                actor=approval.actor,
                agrees=approval.agrees,
                evidence=approval.evidence,
                reason=approval.reason,
                word=approval.word,
                behalf=approval.behalf,
                at=at,
                decision=decision,
            )
        )

    def approvals(self, model: str) -> tuple[ApprovalView, ...]:
        rows = self._session.execute(
            select(approvals_table)
            .where(approvals_table.c.model == model)
            .order_by(approvals_table.c.id)
        )
        return tuple(
            ApprovalView(
                version=row.version,
                actor=row.actor,
                agrees=row.agrees,
                evidence=row.evidence,
                at=row.at,
                reason=row.reason,
                word=row.word or ("approve" if row.agrees else "reject"),
                behalf=row.behalf or "",
            )
            for row in rows
        )


def _columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in changes.items():
        if name == "hold":
            columns["hold_reason"] = value.reason if value else None
            columns["hold_actor"] = value.actor if value else None
            columns["hold_since"] = value.since if value else None
        elif name == "rest":
            columns["rest_stretches"] = value.stretches
            columns["rest_until"] = value.until
            columns["rest_since_version"] = value.since_version
        elif name == "rollout":
            columns[name] = to_plain(value) if value else None
        elif name in {"wake_at", "recipe_index", "error", "last_fired"}:
            columns[name] = value
        else:
            raise TypeError(f"a model's row has no field to set called {name}")
    return columns


def _state(row: Row[Any], levels: Mapping[str, float]) -> ModelState:
    hold = None
    if row.hold_since is not None:
        hold = HoldView(reason=row.hold_reason, actor=row.hold_actor, since=row.hold_since)
    return ModelState(
        model=row.model,
        generation=row.generation,
        champion=row.champion,
        next_version=row.next_version,
        next_run=row.next_run,
        hold=hold,
        budget=BudgetView(tests=row.tests, rejections=tuple(row.rejections), levels=levels),
        wake_at=row.wake_at,
        last_fired={name: parse_time(text) for name, text in row.last_fired.items()},
        recipe_index=row.recipe_index,
        rest=RestView(
            stretches=row.rest_stretches,
            until=row.rest_until,
            since_version=row.rest_since_version,
        ),
        rollout=codec.load_plain(RolloutView, row.rollout) if row.rollout else None,
        error=row.error,
    )
