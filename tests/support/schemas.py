"""What a database holds, as lines to compare: tables, columns in their order, constraints, indexes, guards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from controller.adapters.sql.engine import make_engine, read_url

_SQLITE_GUARDS = "SELECT type, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
_FUNCTIONS = """
SELECT 'function', p.proname, pg_get_functiondef(p.oid) || ' ACL ' || coalesce(array_length(p.proacl, 1), 0)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' ORDER BY 2
"""
_TRIGGERS = """
SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal ORDER BY 2
"""


def describe(url: str) -> list[str]:
    """One line an object, sorted; white space in the text of guards says nothing."""
    engine = make_engine(read_url(url))
    with engine.connect() as connection:
        lines = sorted([*_tables(connection), *_guards(connection)])
    engine.dispose()
    return lines


def _tables(connection: Connection) -> Iterator[str]:
    there = inspect(connection)
    for table in there.get_table_names():
        if table == "alembic_version":
            continue
        for place, column in enumerate(there.get_columns(table)):
            yield f"column {table}.{place}: {_said(column)}"
        yield f"key {table}: {_said(there.get_pk_constraint(table))}"
        parts: dict[str, Any] = {
            "foreign": there.get_foreign_keys(table),
            "unique": there.get_unique_constraints(table),
            "check": there.get_check_constraints(table),
            "index": there.get_indexes(table),
        }
        for kind, found in parts.items():
            yield from (f"{kind} {table}: {_said(one)}" for one in found)


def _guards(connection: Connection) -> Iterator[str]:
    asked = (_SQLITE_GUARDS,) if connection.dialect.name == "sqlite" else (_FUNCTIONS, _TRIGGERS)
    for statement in asked:
        for kind, name, text in connection.exec_driver_sql(statement):
            said = " ".join(text.split()).replace("( ", "(").replace(" )", ")")
            yield f"{kind} {name}: {said}"


def _said(found: Any) -> str:
    flat = {**found, **found.get("dialect_options", {})}
    flat.pop("dialect_options", None)
    known = {key: str(value) for key, value in flat.items() if value not in (None, [], {}, False)}
    return ", ".join(f"{key}={value}" for key, value in sorted(known.items()))
