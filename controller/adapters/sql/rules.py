"""Rule texts in SQL, and which of them are in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from controller.adapters.sql.models import SqlModels
from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.tables import active_rules_table, models_table, rule_texts_table
from controller.adapters.sql.types import storable
from controller.domain.decisions import RulesRef
from controller.ports import ActiveRules, RuleQuery

_IN_FORCE = (
    select(active_rules_table, rule_texts_table.c.text)
    .join(rule_texts_table, rule_texts_table.c.blob == active_rules_table.c.blob)
    .where(active_rules_table.c.retired_at.is_(None))
)


class SqlRuleStore:
    """Active rules by model, texts by blob. A text is never changed or forgotten: old decisions name it."""

    def __init__(self, session: SqlSession, books: SqlModels) -> None:
        self._session = session
        self._models = books

    def activate(self, rules: ActiveRules) -> None:
        self._session.execute(
            self._session.insert(rule_texts_table)
            .values(blob=rules.ref.blob, text=rules.text)
            .on_conflict_do_nothing(index_elements=["blob"])
        )
        values = {
            "path": rules.ref.path,
            "blob": rules.ref.blob,
            "revision": rules.ref.revision,
            "review": rules.ref.review,
            "reviewers": rules.ref.reviewers,
            "activated_at": rules.activated_at,
            "refused": rules.refused,
            "retired_at": None,
            "retired_because": None,
        }
        self._session.execute(
            self._session.insert(active_rules_table)
            .values(model=rules.model, **values)
            .on_conflict_do_update(index_elements=["model"], set_=values)
        )
        self._models.update(rules.model, wake_at=rules.activated_at)

    def active(self, model: str) -> ActiveRules | None:
        row = self._session.execute(_IN_FORCE.where(active_rules_table.c.model == model)).first()
        return None if row is None else _active(row)

    def all_active(self) -> list[ActiveRules]:
        found = [_active(row) for row in self._session.execute(_IN_FORCE)]
        return sorted(found, key=lambda rules: rules.model)

    def find(self, query: RuleQuery) -> list[ActiveRules]:
        wanted = _IN_FORCE.order_by(active_rules_table.c.model).limit(query.limit)
        if query.name:
            wanted = wanted.where(
                active_rules_table.c.model.icontains(storable(query.name), autoescape=True)
            )
        if query.refused:
            wanted = wanted.where(active_rules_table.c.refused != "")
        if query.after:
            wanted = wanted.where(active_rules_table.c.model > storable(query.after))
        return [_active(row) for row in self._session.execute(wanted)]

    def blobs(self) -> Mapping[str, str]:
        rows = self._session.execute(
            select(active_rules_table.c.model, active_rules_table.c.blob).where(
                active_rules_table.c.retired_at.is_(None)
            )
        )
        return {row.model: row.blob for row in rows.all()}

    def text(self, blob: str) -> str | None:
        row = self._session.execute(
            select(rule_texts_table.c.text).where(rule_texts_table.c.blob == blob)
        ).first()
        return None if row is None else row.text

    def models(self) -> list[str]:
        # Putting rules in force makes the row.
        rows = self._session.execute(select(models_table.c.model).order_by(models_table.c.model))
        return sorted(rows.scalars().all())

    def refuse(self, model: str, reason: str) -> None:
        self._session.execute(
            update(active_rules_table)
            .where(active_rules_table.c.model == model)
            .values(refused=reason)
        )

    def retire(self, model: str, reason: str, at: datetime) -> None:
        result = self._session.execute(
            update(active_rules_table)
            .where(active_rules_table.c.model == model, active_rules_table.c.retired_at.is_(None))
            .values(retired_at=at, retired_because=reason)
        )
        if result.rowcount:
            self._models.update(model, wake_at=at)


def _active(row: Row[Any]) -> ActiveRules:
    return ActiveRules(
        model=row.model,
        ref=RulesRef(
            path=row.path,
            blob=row.blob,
            revision=row.revision,
            review=row.review,
            reviewers=tuple(row.reviewers),
        ),
        text=row.text,
        activated_at=row.activated_at,
        refused=row.refused,
    )
