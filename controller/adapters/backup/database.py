"""Copies a database while it runs, and puts a copy in the place of an empty one.

SQLite: its online backup, which never blocks a writer for long and is whole at the moment it ends. PostgreSQL:
``pg_dump`` and ``pg_restore``, which see one snapshot. A password goes through the environment, never through the
list of processes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from controller.adapters.sql.engine import is_sqlite, make_engine, name_of, read_url
from controller.adapters.sql.errors import translate
from controller.domain.errors import Conflict, IntegrityError, Unavailable, UserError

SQLITE, POSTGRES = "database.sqlite", "database.pgdump"
_PAGES = 2000
"""Pages a step: a writer waits for one step at most."""


def dump(url: str, folder: Path) -> Path:
    """A copy of the database in ``folder``; Unavailable if it cannot be made."""
    parsed = read_url(url)
    return _dump_sqlite(parsed, folder) if is_sqlite(parsed) else _dump_postgres(parsed, folder)


def put_back(url: str, copy: Path) -> None:
    """Fill the empty database at ``url`` from a copy; Conflict if it holds anything."""
    parsed = read_url(url)
    wanted = SQLITE if is_sqlite(parsed) else POSTGRES
    if copy.name != wanted:
        kinds = {SQLITE: "SQLite", POSTGRES: "PostgreSQL"}
        raise UserError(
            f"The backup is of {kinds[copy.name]}, and {name_of(parsed)} is {kinds[wanted]}.",
            hint="Restore it into a database of the same kind.",
        )
    if is_sqlite(parsed):
        _restore_sqlite(parsed, copy)
    else:
        _restore_postgres(parsed, copy)


def _dump_sqlite(url: URL, folder: Path) -> Path:
    target = folder / SQLITE
    source = Path(str(url.database))
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
            ) as live,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise Unavailable(f"The database {source} cannot be copied: {error}.") from error
    if found != "ok":
        raise IntegrityError(f"The copy of {source} is not whole: {found}.")
    return target


def _restore_sqlite(url: URL, copy: Path) -> None:
    target = Path(str(url.database))
    if target.exists():
        raise Conflict(
            f"There is a database at {target}; nothing was restored.",
            hint="Restore into an empty INCUMBENT_HOME, or move that file away.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.restoring")
    try:
        shutil.copyfile(copy, partial)
        _check_sqlite(partial, copy)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _check_sqlite(file: Path, name: Path) -> None:
    """IntegrityError unless the file is a whole database; the checksum beside it is the word of who wrote both."""
    if not file.stat().st_size:  # which SQLite takes for a database without tables
        raise IntegrityError(f"{name} is empty; nothing was restored.")
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        ) as copy:
            found = copy.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise IntegrityError(f"{name} is no database: {error}; nothing was restored.") from None
    if found != "ok":
        raise IntegrityError(f"{name} is not whole: {found}; nothing was restored.")


def _dump_postgres(url: URL, folder: Path) -> Path:
    target = folder / POSTGRES
    _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    return target


def _restore_postgres(url: URL, copy: Path) -> None:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
            ).scalar_one()
    except SQLAlchemyError as error:
        raise translate(error, name_of(url)) from error
    finally:
        engine.dispose()
    if found:
        raise Conflict(
            f"The database {name_of(url)} holds tables; nothing was restored.",
            hint="Restore into an empty one: createdb NAME.",
        )
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    _run(url, "pg_restore", *options, f"--dbname={url.database}", str(copy))


def _run(url: URL, program: str, *words: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise UserError(
            f"{program} is not on PATH.",
            hint="Install PostgreSQL's client programs of the server's version or a newer one.",
        )
    done = subprocess.run(
        [found, *words], env=_environment(url), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise Unavailable(f"{program} failed: {said.rstrip('.')}.")


def _environment(url: URL) -> dict[str, str]:
    given = {
        "PGHOST": url.host,
        "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": url.query.get("sslmode"),
        "PGSSLROOTCERT": url.query.get("sslrootcert"),
    }
    named = {name: str(value) for name, value in given.items() if value}
    return {**os.environ, **named}
