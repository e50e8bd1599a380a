"""What each process's own role needs on PostgreSQL, so that it owns nothing and can take no guard away.

The tables belong to the role that migrates. Each kind of process logs in as another one: the controller decides, the
API appends what people say, a worker does what it claimed, a reader only looks. Triggers are the owner's. What a worker
writes goes through functions (``migrations/guards/postgresql.sql``), because training code can read the password
that its worker logs in with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from controller.adapters.sql import free_tables, publications
from controller.adapters.sql.engine import is_sqlite, make_engine, name_of, read_url
from controller.adapters.sql.errors import translate
from controller.adapters.sql.tables import metadata
from controller.domain.errors import UserError

ADDED_ONLY = frozenset(
    {
        "alias_moves",
        "approvals",
        "budget_tests",
        "decisions",
        "evaluations",
        "marked_since",
        "reigns",
        "reviews",
        "rule_texts",
        "version_facts",
    }
)
"""History: read and added to, by nobody changed."""

FORGETS = frozenset(
    {
        "controllers",
        "descriptions",
        "free_aliases",
        "free_tags",
        "nonces",
        "published_versions",
        "schedules",
        "source_states",
        "tags",
        "workers",
    }
)
"""Where a row may go again."""

SAID = frozenset({"comments", "delegations", "descriptions", "silences", "tags", "tokens"})
"""What people say, beside their signals: the API writes it."""

_API = SAID | {
    "consumers",
    "deliveries",
    "free_aliases",
    "free_models",
    "free_tags",
    "free_versions",
    "marked_since",
    "nonces",
    "outbox",
    "source_hints",
}
"""Where the API writes, beside ``signals``; it may say that a registry is to be looked at, too."""

_APPENDED = frozenset({"outbox", "signals"})
"""Where the API adds rows and changes none: what becomes of them is the controller's."""

_WORKER_READS: Mapping[str, tuple[str, ...]] = {
    "active_rules": (),
    "alembic_version": (),
    "batches": (),
    "chain_head": (),
    "data_sources": (),
    "models": (),
    "rule_texts": (),
    "run_journal": (),
    "runs": (),
    "signals": ("id", "model", "status"),
    "versions": (),
    "workers": (),
}
"""What a worker looks at; of signals only how many wait. No text of a person, no token, no message."""

_CALLS: Mapping[str, str] = {
    "worker_claim": "text, integer, text, interval, text",
    "worker_heartbeat": "text, integer, interval, double precision, text",
    "worker_finish": "text, integer, text, text, text, text, timestamptz, text",
    "worker_journal": (
        "text, integer, timestamptz[], text[], text[], bigint[], double precision[], text[], text"
    ),
}
_COUNT = "count_up(text, bigint)"


class Process(StrEnum):
    """Whose login a role is. ``application`` is one for all processes, as before there were several."""

    CONTROLLER = "controller"
    API = "api"
    WORKER = "worker"
    READER = "reader"
    APPLICATION = "application"


SEPARATE = (Process.CONTROLLER, Process.API, Process.WORKER, Process.READER)
"""The processes that a role of its own is made for."""


def role_of(process: Process) -> str:
    """What the process's role is called where nobody chose a name."""
    return f"incumbent_{process.value}"


def grant_statements(role: str, process: Process = Process.APPLICATION) -> list[str]:
    """The statements that the owner runs once, and again after each migration.

    They take away first what the role had: a role that changes its process keeps nothing.
    """
    name = quoted(role)
    return [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {name}",
        f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM {name}",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        *(f"GRANT {right} TO {name}" for right in _rights(process)),
    ]


def all_roles() -> list[str]:
    """The statements that make a role for each process, where it does not exist, and grant it what it needs."""
    return [statement for process in SEPARATE for statement in _role(process)]


def passwords(given: Mapping[Process, str]) -> list[str]:
    """The statements that give roles their passwords."""
    literals = {process: "'" + word.replace("'", "''") + "'" for process, word in given.items()}
    return [
        f"ALTER ROLE {quoted(role_of(process))} PASSWORD {literal}"
        for process, literal in literals.items()
    ]


def apply(url: str, statements: Iterable[str]) -> None:
    """Run the statements at once, as the role that ``url`` names: the tables' owner, who may create roles."""
    parsed = read_url(url)
    if is_sqlite(parsed):
        raise UserError(
            "SQLite knows no roles: whoever reads the file may write it.",
            hint="docs/security.md says what remains there.",
        )
    engine = make_engine(parsed)
    try:
        with engine.begin() as connection:
            raw = connection.execution_options(no_parameters=True)
            for statement in statements:
                raw.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        raise translate(error, name_of(parsed)) from error
    finally:
        engine.dispose()


def quoted(role: str) -> str:
    """The role's name as SQL writes it; UserError for what is no name."""
    if not role or "\x00" in role or len(role) > 63:
        raise UserError("A role's name has 1 to 63 characters.")
    return '"' + role.replace('"', '""') + '"'


def _role(process: Process) -> Iterator[str]:
    role = role_of(process)
    yield (
        f"DO $$ BEGIN CREATE ROLE {quoted(role)} LOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    yield from grant_statements(role, process)


def _rights(process: Process) -> Iterator[str]:
    """Rights and what they are on, without ``GRANT`` and without the role."""
    match process:
        case Process.WORKER:
            yield from _worker()
            return
        case Process.READER:
            yield from _reading(_tables() - {"tokens"})
            return
        case Process.API:
            written = _API | {"signals"}
        case Process.CONTROLLER:
            written = _tables() - SAID
            yield "UPDATE (decision) ON comments"
        case Process.APPLICATION:
            written = _tables()
    if process is Process.API:
        yield "UPDATE (look_at) ON publications"
    yield from _reading(_tables())
    yield "USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public"
    yield f"EXECUTE ON FUNCTION {_COUNT}"
    if process is Process.APPLICATION:
        yield from (f"EXECUTE ON FUNCTION {name}({types})" for name, types in _CALLS.items())
    for table in sorted(written):
        yield f"{', '.join(_writing(table, process))} ON {table}"


def _writing(table: str, process: Process) -> Iterator[str]:
    yield "INSERT"
    if table not in ADDED_ONLY and (process is not Process.API or table not in _APPENDED):
        yield "UPDATE"
    if table in FORGETS:
        yield "DELETE"


def _tables() -> frozenset[str]:
    """All of them: those of the modules that are named here are in the metadata once these are imported."""
    return frozenset(
        {*metadata.tables, free_tables.free_models.name, publications.publications.name}
    )


def _reading(tables: Iterable[str]) -> Iterator[str]:
    yield from (f"SELECT ON {table}" for table in ["alembic_version", *sorted(tables)])


def _worker() -> Iterator[str]:
    for table, columns in _WORKER_READS.items():
        only = f" ({', '.join(columns)})" if columns else ""
        yield f"SELECT{only} ON {table}"
    yield "INSERT, UPDATE, DELETE ON workers"
    yield from (f"EXECUTE ON FUNCTION {name}({types})" for name, types in _CALLS.items())
    yield f"EXECUTE ON FUNCTION {_COUNT}"
