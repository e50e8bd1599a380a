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

__all__ = [
    "bench",
    "database",
    "player",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
    "sqlite_url",
    "store",
]
