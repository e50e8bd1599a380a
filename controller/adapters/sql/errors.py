"""Turns what drivers raise into our own exceptions: one sentence each, no SQL, no parameters, no secrets.

What is told apart: the database does not answer now (:class:`Unavailable`: connection, locks, disk), a value that it
can't hold or compare (:class:`Unstorable`), a statement that it refuses (:class:`DatabaseRefused`), and a write that
contradicts what is there (:class:`Conflict`). Only the first is nobody's fault and worth waiting for. Classes of
SQLSTATE are those of PostgreSQL's manual, appendix A.

Refusals of the guards carry the prefix ``incumbent:`` followed by a sentence of their own.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeout,
)

from controller.domain.errors import (
    ConfigurationError,
    Conflict,
    DatabaseRefused,
    IllegalTransition,
    IncumbentError,
    StaleGeneration,
    StorageFull,
    Unavailable,
    Unstorable,
)

_IN_THE_WAY = "In the database {place} a table or index that is to be made is there already."
_EMPTY = "Nothing was changed. Give the controller a database that nothing else uses."
_REFUSAL = re.compile(r"incumbent: (?:\[(\w+)\] )?([^\n]+)")
_REFUSALS: dict[str, type[Conflict]] = {"stale": StaleGeneration, "move": IllegalTransition}


def translate(error: SQLAlchemyError, place: str) -> IncumbentError:
    """Our exception for ``error``; ``place`` names the database without its password."""
    if isinstance(error, PoolTimeout):
        return Unavailable(f"All connections to {place} are in use.", hint="Try again in a moment.")
    if isinstance(error, NoSuchModuleError):
        return ConfigurationError(f"There is no driver for the database {place}.")
    if not isinstance(error, DBAPIError):
        return DatabaseRefused(f"The database {place} could not be used ({type(error).__name__}).")
    refusal = _REFUSAL.search(str(error.orig))
    if refusal:
        return _REFUSALS.get(refusal[1] or "", Conflict)(refusal[2])
    state = getattr(error.orig, "sqlstate", None)
    if state is not None or type(error.orig).__module__.startswith("psycopg"):
        return _postgres(error, state or "", place)
    return _sqlite(error, place)


def _sqlite(error: DBAPIError, place: str) -> IncumbentError:
    words = str(error.orig).lower()
    if "full" in words:
        return StorageFull(
            f"The disk of {place} is full.", hint="Make room; nothing was half written."
        )
    if "readonly" in words or "read-only" in words:
        return Unavailable(
            f"The database {place} is read-only.", hint="Check the file's permissions."
        )
    if "locked" in words or "busy" in words:
        return Unavailable(
            f"The database {place} is locked by another process.", hint="Try again in a moment."
        )
    if "unable to open" in words:
        return Unavailable(
            f"The database {place} cannot be opened.",
            hint="Check that its folder exists and is yours.",
        )
    if "not a database" in words or "malformed" in words:
        return Unavailable(f"The file {place} is no whole SQLite database ({words}).")
    if "no such table" in words or "no such column" in words or "already exists" in words:
        return _other_schema(words, place)
    if "constraint failed" in words:
        return Conflict(f"The database refused the write: {words.splitlines()[0]}.")
    if isinstance(error, OperationalError) and _is_away(words):
        return Unavailable(f"The database {place} failed: {words.splitlines()[0]}.")
    if isinstance(error, (InterfaceError, ProgrammingError, DataError)) or _does_not_fit(words):
        return unstorable(words.splitlines()[0])
    return DatabaseRefused(f"The database {place} failed: {words.splitlines()[0]}.")


def _other_schema(words: str, place: str) -> DatabaseRefused:
    """The tables are not those that the code expects: one is missing, or one is in the way of a migration."""
    if "already exists" in words:
        return DatabaseRefused(_IN_THE_WAY.format(place=place), hint=_EMPTY)
    return DatabaseRefused(
        f"The database {place} lacks a table or column ({words}); it was not migrated.",
        hint="Run `incumbent up` or `incumbent controller` of this version.",
    )


def _is_away(words: str) -> bool:
    """Whether SQLite's file or disk is the trouble: SQLITE_IOERR, SQLITE_NOMEM, SQLITE_PROTOCOL, SQLITE_INTERRUPT."""
    return any(sign in words for sign in ("i/o error", "memory", "locking protocol", "interrupted"))


def _does_not_fit(words: str) -> bool:
    """Whether a value is the trouble: SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_RANGE, more variables than it takes."""
    return any(sign in words for sign in ("too big", "mismatch", "too many", "too large", "range"))


def unstorable(why: str) -> Unstorable:
    """A value that the database can't hold or compare; ``why`` are the driver's words, without the value."""
    return Unstorable(
        f"The database cannot hold or compare a value: {why}.",
        hint="Its numbers have 64 bits, its texts no NUL.",
    )


_POSTGRES: dict[str, tuple[type[IncumbentError], str]] = {
    "53100": (StorageFull, "The disk of {place} is full."),
    "53200": (Unavailable, "The database {place} has no memory left."),
    "53300": (Unavailable, "The database {place} takes no more connections."),
    "25006": (Unavailable, "The database {place} is read-only."),
    "55P03": (Unavailable, "A row of {place} is locked by another process."),
    "40001": (Conflict, "Two transactions on {place} met; one of them has to be repeated."),
    "40P01": (Conflict, "Two transactions on {place} met; one of them has to be repeated."),
    "42P01": (DatabaseRefused, "The database {place} lacks a table; it was not migrated."),
    "42703": (DatabaseRefused, "The database {place} lacks a column; it was not migrated."),
    "42P07": (DatabaseRefused, _IN_THE_WAY),
    "42501": (DatabaseRefused, "The database {place} does not let this user do that."),
    "3D000": (Unavailable, "The database {place} does not exist."),
    "28P01": (Unavailable, "The database {place} refuses the user or the password."),
    "28000": (Unavailable, "The database {place} refuses the user."),
    "25P03": (Unavailable, "The database {place} ended a transaction that stood still too long."),
}


_ABSENT = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})
"""Connection, state of the transaction, login, catalog, rollback, resources, locks, operator, system, corruption."""
_MISFIT = frozenset({"22", "54"})
"""Data exception; a limit of the program, as an index row that is too large."""


def _postgres(error: DBAPIError, state: str, place: str) -> IncumbentError:
    known = _POSTGRES.get(state)
    if known:
        hint = _EMPTY if state == "42P07" else ""
        return known[0](known[1].format(place=place), hint=hint)
    words = (str(error.orig).splitlines() or [""])[0]
    if "during recovery" in words:
        return Unavailable(f"The database {place} is a standby and read-only.")
    if state[:2] == "23":
        return Conflict(f"The database refused the write: {words}.")
    if state[:2] in _MISFIT:
        return unstorable(f"SQLSTATE {state}")
    if error.connection_invalidated or state[:2] in _ABSENT:
        return Unavailable(_unreachable(str(error.orig), place))
    if not state:
        return _by_the_driver(error, words, place)
    return DatabaseRefused(f"The database {place} refused a statement with SQLSTATE {state}.")


def _by_the_driver(error: DBAPIError, words: str, place: str) -> IncumbentError:
    """What psycopg said before it asked the server, or because there was none."""
    if isinstance(error, DataError):
        return unstorable("the driver refuses it")
    if isinstance(error, (OperationalError, InterfaceError)):
        return Unavailable(_unreachable(words, place))
    return DatabaseRefused(f"The database {place} refused a statement ({type(error).__name__}).")


def _unreachable(words: str, place: str) -> str:
    """Why a server does not answer, as far as the driver's words can be repeated safely."""
    lower = words.lower()
    for sign, meaning in (
        ("refused", "the connection was refused"),
        ("password authentication failed", "it refuses the user or the password"),
        ("does not exist", "the database, user or role does not exist"),
        ("could not translate host", "its host is unknown"),
        ("name or service not known", "its host is unknown"),
        ("failed to resolve", "its host is unknown"),
        ("timeout", "it was too slow"),
        ("no such file", "there is no such socket"),
        ("starting up", "it is starting up"),
        ("too many", "it takes no more connections"),
        ("remaining connection slots", "it takes no more connections"),
    ):
        if sign in lower:
            return f"The database {place} does not answer: {meaning}."
    return f"The connection to the database {place} was lost."
