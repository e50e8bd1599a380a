"""How values are kept in columns, the same on SQLite and PostgreSQL.

Times are ``timestamptz`` on PostgreSQL and fixed-width ISO text on SQLite, whose order is that of time. JSON is
text in canonical form on both: what is hashed must come back byte for byte, which ``jsonb`` does not promise.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    String,
    Text,
    literal_column,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from controller.domain.canonical import canonical_json, format_time, parse_time

BIG = BigInteger().with_variant(Integer, "sqlite")
"""An integer of 64 bits; on SQLite the one type that numbers rows by itself."""


def storable(text: str) -> str:
    """``text`` without what a database can't hold: PostgreSQL refuses NUL, UTF-8 has no lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def is_one_of(column: ColumnElement[Any], *those: StrEnum) -> ColumnElement[bool]:
    """Whether ``column`` is one of these words, written out: a bound one hides a partial index from the planner.

    The order is that of the index's own condition.
    """
    return column.in_([written(one) for one in those])


def written(word: StrEnum) -> ColumnElement[str]:
    """One of our own words, written out."""
    return literal_column(f"'{word.value}'")


class Words(TypeDecorator[str]):
    """Text that came from anywhere: what can't be stored is replaced, so that no output of a user's code is fatal."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(str(value))


class UtcTime(TypeDecorator[datetime]):
    """A moment, timezone-aware, in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return format_time(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return parse_time(value)
        moment: datetime = value
        return moment.astimezone(UTC)


class CanonicalJson(TypeDecorator[Any]):
    """Plain values as canonical JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(canonical_json(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else json.loads(value)
