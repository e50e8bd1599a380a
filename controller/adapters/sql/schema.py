"""Brings a database's tables to what this code expects.

Alembic does the work, and is only imported when there is work: the usual start reads one row and goes on. Two
processes may start at once; one migrates, the other waits and finds it done.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from controller.adapters.sql.engine import is_sqlite, make_engine, name_of, read_url
from controller.adapters.sql.errors import translate
from controller.adapters.sql.guards import make_guards
from controller.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001_first_release"
"""The newest migration; a test compares it with the folder."""

FIRST = "0001_first_release"
ADOPTED = "0023"
"""The last schema before the first release: it is the first release's, under another name."""

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x1CBE_A5CE
"""PostgreSQL's advisory lock for migrations: any number that nobody else in the database uses."""

_log = logging.getLogger(__name__)


def revision(engine: Engine) -> str | None:
    """The database's present migration; None if it has none."""
    try:
        with engine.connect() as connection:
            return _revision(connection)
    except DBAPIError as error:
        if _lacks_table(error):
            return None
        raise


def _revision(connection: Connection) -> str | None:
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _lacks_table(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == "42P01" or "no such table" in str(error.orig)


def migrate(url: str) -> bool:
    """Bring the database at ``url`` up to :data:`HEAD`; whether there was anything to do.

    Raises Unavailable if it does not answer, ConfigurationError if its tables are newer than this code.
    """
    engine = make_engine(read_url(url))
    try:
        return bring_up_to_date(engine)
    finally:
        engine.dispose()


def bring_up_to_date(engine: Engine) -> bool:
    """The same for a database that an engine reaches."""
    place = name_of(engine.url)
    try:
        if revision(engine) == HEAD:
            return False
        return _upgrade(engine, place, sqlite=is_sqlite(engine.url))
    except SQLAlchemyError as error:
        raise translate(error, place) from error


def _upgrade(engine: Engine, place: str, *, sqlite: bool) -> bool:
    # One transaction around all: a migration that is cut off leaves nothing. On SQLite BEGIN IMMEDIATE is the
    # lock that keeps a second process out.
    with engine.begin() as connection:
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = _present(connection)
        if before == HEAD:
            return False
        if before == ADOPTED:
            before = FIRST
            connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": FIRST})
            _log.info(
                "the database %s has the first release's schema", place, extra={"action": "adopted"}
            )
        if before != HEAD:
            _run_alembic(connection, before, place)
            make_guards(connection)
    _log.info("the database %s was migrated", place, extra={"action": "migrated", "place": place})
    return True


def _present(connection: Connection) -> str | None:
    savepoint = connection.begin_nested()
    try:
        found = _revision(connection)
    except DBAPIError as error:
        if not _lacks_table(error):
            raise
        savepoint.rollback()
        return None
    savepoint.commit()
    return found


def _run_alembic(connection: Connection, before: str | None, place: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and re.fullmatch(r"00[0-2][0-9]", before):
        raise ConfigurationError(
            f"The database {place} was made before the first release, with schema {before};"
            f" only {ADOPTED} is taken over.",
            hint=f"Start it once with the last commit that has a migration {ADOPTED}, or set up a new home."
            " Nothing in the database was changed.",
        )
    if before is not None and before not in known:
        raise ConfigurationError(
            f"The database {place} was written by a newer version (its schema is {before}, this code's {HEAD}).",
            hint="Install that version or a later one.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def alembic_config() -> Config:
    """Alembic's settings; it has no file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
