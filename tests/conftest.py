"""Fixtures for all tests: real databases and the stores on them."""

from __future__ import annotations

from tests.support.machines import player
from tests.support.stores import (
    bench,
    database,
    postgres_server,
    postgres_template,
    postgres_url,
    sqlite_template,
    sqlite_url,
    store,
)
from tests.support.told import copied, told

__all__ = [
    "bench",
    "copied",
    "database",
    "player",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
    "sqlite_url",
    "store",
    "told",
]
