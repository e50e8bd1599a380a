"""Clauses and orderings of a catalogue's search as SQL, meaning the same on SQLite and PostgreSQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, not_, or_

from controller.adapters.sql.session import SqlSession
from controller.adapters.sql.types import UtcTime, storable
from controller.domain.catalog import Clause, Ordering

PROMPT = "mlflow.prompt.is_prompt"
"""MLflow keeps prompts among models, and asks for models as those that do not carry this tag."""

_PLAIN: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

Tagged = Callable[[str, Callable[[ColumnElement[Any]], ColumnElement[bool]]], ColumnElement[bool]]
"""From a tag's key and a condition on its value to "the row has such a tag"."""


def compared(
    clause: Clause, fields: Mapping[str, Any], tagged: Tagged, session: SqlSession
) -> ColumnElement[bool]:
    """A clause as a condition; false where the side has no such field."""
    if clause.field == "tag":
        if clause.key == PROMPT:
            is_prompt = tagged(PROMPT, lambda value: func.lower(value) == "true")
            asked = (clause.op == "=") == (clause.value == "true")
            return is_prompt if asked else not_(is_prompt)
        return tagged(clause.key, lambda value: _condition(value, clause, session))
    column = fields.get(clause.field)
    return false() if column is None else _condition(column, clause, session)


def _condition(
    column: ColumnElement[Any], clause: Clause, session: SqlSession
) -> ColumnElement[bool]:
    value = storable(clause.value) if isinstance(clause.value, str) else clause.value
    if isinstance(value, tuple):
        return column.in_(value) if clause.op == "IN" else column.not_in(value)
    if clause.op == "ILIKE":
        return func.lower(column).like(str(value).lower())
    if clause.op == "LIKE":
        if session.postgres:
            return column.like(str(value))
        return column.op("GLOB")(as_glob(str(value)))  # SQLite's LIKE does not tell a from A
    compared_with: ColumnElement[bool] = _PLAIN[clause.op](column, value)
    return compared_with


def as_glob(pattern: str) -> str:
    """A pattern of LIKE in the words of GLOB."""
    words = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(words.get(letter, letter) for letter in pattern)


def ordered(
    statement: Select[Any],
    fields: Mapping[str, Any],
    order: tuple[Ordering, ...],
    after: tuple[str | int | datetime, ...] | None,
    session: SqlSession,
) -> Select[Any]:
    """The statement in order, from behind the row ``after``; text is ordered by its code points on both."""
    columns = [
        fields[one.field].collate("C")
        if one.field == "name" and session.postgres
        else fields[one.field]
        for one in order
    ]
    if after is not None:
        later = []
        for place, (column, value) in enumerate(zip(columns, after, strict=True)):
            bound = literal(value, UtcTime) if isinstance(value, datetime) else literal(value)
            beyond = column < bound if order[place].descending else column > bound
            same = [
                columns[i] == (literal(v, UtcTime) if isinstance(v, datetime) else literal(v))
                for i, v in enumerate(after[:place])
            ]
            later.append(and_(*same, beyond))
        statement = statement.where(or_(*later))
    return statement.order_by(
        *(
            column.desc() if one.descending else column.asc()
            for one, column in zip(order, columns, strict=True)
        )
    )
