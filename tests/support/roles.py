"""Databases whose processes log in as roles of their own, as `incumbent grants` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from controller.adapters.sql.grants import SEPARATE, Process, all_roles, role_of
from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Logins:
    """One database, by whose login it is reached."""

    owner: str

    def url(self, process: Process) -> str:
        scheme, rest = self.owner.split("://", 1)
        return f"{scheme}://{role_of(process)}@{rest.split('@', 1)[1]}"


@contextmanager
def separate_logins(server: PostgresServer, template: str) -> Iterator[Logins]:
    """A migrated database with the four roles; what they were granted in it goes at the end."""
    owner = server.url(server.create(template))
    with psycopg.connect(owner, autocommit=True) as session:
        for statement in all_roles():
            session.execute(statement.encode())
    yield Logins(owner)
    with psycopg.connect(owner, autocommit=True) as session:
        for process in SEPARATE:
            session.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role_of(process))))
