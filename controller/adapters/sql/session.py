"""One open transaction: the connection, the store's clock, and errors in our own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Executable, Interval, Table, func, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError, StatementError

from controller.adapters.sql.errors import translate, unstorable
from controller.adapters.sql.types import UtcTime
from controller.domain.decisions import MoveVersion
from controller.domain.errors import Conflict, IncumbentError
from controller.domain.marks import SigningKeys
from controller.ports import Clock

_READ_ONLY = "25006"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeavingChampion:
    """The champion's move out of the seat, kept until the next one sits down: both are one statement."""

    action: MoveVersion
    actor: str


@dataclass(kw_only=True)
class SqlSession:
    """What the books of one transaction share. ``place`` names the database for messages.

    ``secret`` is the store's: what it claims, only it may report. ``keys`` mark signals, where the store holds any.
    """

    connection: Connection
    clock: Clock
    place: str
    writes: bool
    secret: str
    keys: SigningKeys | None = None
    leaving: dict[str, LeavingChampion] = field(default_factory=dict)
    failure: IncumbentError | None = None

    @property
    def postgres(self) -> bool:
        """Whether this is PostgreSQL, whose own clock measures leases."""
        return self.connection.dialect.name == "postgresql"

    def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run a statement; what went wrong is said by the exceptions of :mod:`controller.adapters.sql.errors`."""
        try:
            result: CursorResult[Any] = self.connection.execute(statement, parameters)
        except StatementError as error:
            if isinstance(error.orig, (ValueError, TypeError)):
                # A value without a canonical form never reached the database.
                raise error.orig from None
            if isinstance(error.orig, (OverflowError, RecursionError)):
                raise unstorable(type(error.orig).__name__) from None
            self.failure = translate(error, self.place)
            if self.writes and getattr(error.orig, "sqlstate", None) == _READ_ONLY:
                # The session took that over when it connected, and would keep it when the server has changed back.
                self.connection.invalidate()
            raise self.failure from error
        except SQLAlchemyError as error:
            self.failure = translate(error, self.place)
            raise self.failure from error
        except OverflowError as error:
            # The driver of SQLite raises it as it is: "Python int too large to convert to SQLite INTEGER".
            self.failure = unstorable("a number is too large")
            raise self.failure from error
        return result

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that can say what to do when the row is there before."""
        return postgresql.insert(table) if self.postgres else sqlite.insert(table)

    def now(self) -> ColumnElement[datetime]:
        """The store's clock: the server's on PostgreSQL; the host's on SQLite, where all share one host."""
        if self.postgres:
            return func.clock_timestamp(type_=UtcTime)
        return literal(self.clock.now(), UtcTime)

    def later(self, delay: timedelta) -> ColumnElement[datetime]:
        """The store's clock plus ``delay``."""
        if self.postgres:
            return func.clock_timestamp(type_=UtcTime) + literal(delay, Interval)
        return literal(self.clock.now() + delay, UtcTime)

    def check_complete(self) -> None:
        """What must hold when the transaction ends, beyond what the database checks."""
        if self.failure is not None:
            # PostgreSQL would answer a commit with a silent rollback here.
            raise Conflict(f"The transaction was broken off before: {self.failure.message}")
        for model, leaving in self.leaving.items():
            raise Conflict(
                f"{model} v{leaving.action.version} is champion but would be {leaving.action.after};"
                " promote another version in the same transaction."
            )
