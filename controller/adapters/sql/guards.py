"""What a database refuses, whoever writes: the text of its triggers and functions.

Made from three parts: the life cycles of the domain (which moves there are, and what each must wait for), the lists
here of what is never changed and never deleted, and one script for each kind of database, for what only SQL can say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import assert_never

from sqlalchemy.engine import Connection

from controller.domain.runs import RUN_MOVES, RunState
from controller.domain.use import RESERVED, UNALIASED
from controller.domain.versions import SEATED_BEFORE, STAGES, Fence, VersionState

SCRIPTS = Path(__file__).parent / "migrations" / "guards"

MADE_OF = {
    "signals": (
        "what a signal says is never changed",
        "id key model kind trigger_name actor occurred_at received_at payload",
    ),
    "versions": (
        "what a version is made of is never changed",
        "model number run digest recipe size data_through metrics lineage created_at decision",
    ),
    "runs": (
        "what a run was ordered to do is never changed",
        "entry id model number kind spec retries ordered_at decision",
    ),
    "batches": (
        "what a batch holds is never changed",
        "model sequence uri digest size rows columns seen_at details",
    ),
    "outbox": ("what a letter says is never changed", "id topic key payload"),
}
"""Columns that keep what they were entered with."""

ADDED_TO = {
    "decisions": "a decision",
    "version_facts": "a fact",
    "reigns": "a reign",
    "evaluations": "an evaluation",
    "budget_tests": "a test of the error budget",
    "approvals": "an approval",
    "rule_texts": "the text of a rule",
    "reviews": "the evidence of a review",
    "alias_moves": "a move of an alias",
}
"""Tables whose rows are neither changed nor deleted."""

KEPT = {
    "versions": "a version is never deleted",
    "runs": "a run is never deleted",
    "models": "a model is never deleted",
    "chain_head": "the head of the chain is never deleted",
    "leases": "a lease is never deleted: its fence would start again",
    "signals": "a signal is never deleted",
    "aliases": "an alias is never deleted: its generation would start again",
    "consumers": "a lease of a consumer is never deleted",
    "version_keeps": "a hold on a version is never deleted",
    "removals": "a removal is never deleted",
    "comments": "a comment is never deleted",
    "marked_since": "from where on signals are marked is never forgotten",
    "anchored": "an anchor is never forgotten",
    **{table: f"{noun} is never deleted" for table, noun in ADDED_TO.items()},
}
"""Tables whose rows are never deleted."""

UNCHANGED = {
    "marked_since": "from where on signals are marked is never changed",
    **{table: f"{noun} is never changed" for table, noun in ADDED_TO.items()},
}
"""Tables whose rows are never changed."""


def guard_statements(dialect: str) -> list[str]:
    """Every guard of a kind of database (``sqlite`` or ``postgresql``), in the order to make them in."""
    sqlite = dialect == "sqlite"
    filled = _filled(sqlite=sqlite)
    script = (SCRIPTS / f"{dialect}.sql").read_text(encoding="utf-8")
    text = re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], script)
    return [
        *(part.strip() for part in text.split("\n--;;")),
        *(_made_of_on_sqlite() if sqlite else _made_of_on_postgresql()),
        *_refusals(sqlite=sqlite),
    ]


def make_guards(connection: Connection) -> None:
    """Give a database the guards of this code, in place of those that it has."""
    dialect = connection.dialect.name
    listed = (
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
        if dialect == "sqlite"
        else "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
    )
    on = "" if dialect == "sqlite" else " ON {table}"
    for name, table in connection.exec_driver_sql(listed).all():
        if name.startswith("guard_"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}" + on.format(table=table))
    for statement in guard_statements(dialect):
        # A function that stands keeps who may call it.
        made = statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        connection.execution_options(no_parameters=True).exec_driver_sql(made)


def _filled(*, sqlite: bool) -> Mapping[str, str]:
    """What stands for the words in braces of the scripts."""
    fences = _fences_on_sqlite if sqlite else _fences_on_postgresql
    entering = {state: stage.enter_unless for state, stage in STAGES.items() if stage.enter_unless}
    leaving = {state: stage.leave_unless for state, stage in STAGES.items() if stage.leave_unless}
    return {
        "version_moves": _pairs((state, stage.to) for state, stage in STAGES.items()),
        "run_moves": _pairs(RUN_MOVES.items()),
        "may_become_champion": _list(s for s in VersionState if s.may_become_champion),
        "unended": _list(state for state in RunState if not state.ended),
        "unaliased": _list(state for state in VersionState if state in UNALIASED),
        "reserved": _list(sorted(RESERVED)),
        "fenced_after": _list(entering),
        "fenced_before": _list(leaving),
        "entering": fences("after", entering),
        "leaving": fences("before", leaving),
    }


def _list(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


def _pairs(moves: Iterable[tuple[str, Iterable[str]]]) -> str:
    return ", ".join(f"('{before}', '{after}')" for before, afters in moves for after in afters)


_Fenced = Mapping[VersionState, tuple[Fence, ...]]


def _by_fence(fenced: _Fenced) -> dict[Fence, list[VersionState]]:
    fences = dict.fromkeys(chain.from_iterable(fenced.values()))
    return {fence: [s for s, theirs in fenced.items() if fence in theirs] for fence in fences}


def _fences_on_sqlite(column: str, fenced: _Fenced) -> str:
    lines = []
    for fence, states in _by_fence(fenced).items():
        only = "" if len(states) == len(fenced) else f"NEW.{column} = {_list(states)} AND "
        lines.append(
            f"    SELECT RAISE(ABORT, 'incumbent: [move] {fence}') WHERE {only}{_stands(fence)};"
        )
    return "\n".join(lines)


def _fences_on_postgresql(column: str, fenced: _Fenced) -> str:
    lines: list[str] = []
    narrowed: str | None = None
    for fence, states in _by_fence(fenced).items():
        only = None if len(states) == len(fenced) else _list(states)
        if only != narrowed:
            lines += ["    END IF;"] if narrowed else []
            lines += [f"    IF NEW.{column} = {only} THEN"] if only else []
            narrowed = only
        lines.append(
            f"        IF {_stands(fence)} THEN RAISE EXCEPTION 'incumbent: [move] {fence}'; END IF;"
        )
    return "\n".join([*lines, *(["    END IF;"] if narrowed else [])])


_THIS = "WHERE model = NEW.model AND version = NEW.version"
_WAY_BACK = (
    "(SELECT r.version FROM reigns r JOIN versions v ON v.model = r.model AND v.number = r.version"
    " WHERE r.model = NEW.model AND v.state IN ({seated}){verified} ORDER BY r.generation DESC LIMIT 1)"
)


def _stands(fence: Fence) -> str:
    """The SQL condition under which a fence stands in the way of a fact; both kinds of database understand it."""
    match fence:
        case Fence.ALIAS:
            return _exists("aliases")
        case Fence.CONSUMER:
            return _exists("consumers", " AND until > NEW.at")
        case Fence.HOLD:
            return _exists("version_keeps", " AND lifted_at IS NULL")
        case Fence.WAY_BACK:
            seated = _list(state for state in VersionState if state in SEATED_BEFORE)
            also = ("", " AND v.verified")
            ways = (_WAY_BACK.format(seated=seated, verified=only) for only in also)
            return f"NEW.version IN ({', '.join(ways)})"
        case Fence.REMOVED:
            return _exists("removals")
        case Fence.REJECTED:
            return _exists("version_facts", " AND after IN ('rejected', 'failed')")
        case _:
            assert_never(fence)


def _exists(table: str, also: str = "") -> str:
    return f"EXISTS (SELECT 1 FROM {table} {_THIS}{also})"  # noqa: S608 - names of our own


def _made_of_on_sqlite() -> Iterator[str]:
    for table, (sentence, columns) in MADE_OF.items():
        names = columns.split()
        changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in names)
        yield (
            f"CREATE TRIGGER guard_{table}_made_of BEFORE UPDATE OF {', '.join(names)} ON {table} WHEN {changed}"
            f" BEGIN SELECT RAISE(ABORT, 'incumbent: {sentence}'); END"
        )


def _made_of_on_postgresql() -> Iterator[str]:
    for table, (sentence, columns) in MADE_OF.items():
        changed = " OR ".join(f"NEW.{c} IS DISTINCT FROM OLD.{c}" for c in columns.split())
        yield (
            f"CREATE TRIGGER guard_{table}_made_of BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed})"
            f" EXECUTE FUNCTION guard_refuse('{sentence}')"
        )


def _refusals(*, sqlite: bool) -> Iterator[str]:
    """The guards that always refuse. SQLite has no TRUNCATE."""
    found = [(table, "update", sentence) for table, sentence in UNCHANGED.items()]
    found += [(table, "delete", sentence) for table, sentence in KEPT.items()]
    if not sqlite:
        found += [(table, "truncate", sentence) for table, sentence in KEPT.items()]
    for table, event, sentence in found:
        each = "STATEMENT" if event == "truncate" else "ROW"
        refused = (
            f"BEGIN SELECT RAISE(ABORT, 'incumbent: {sentence}'); END"
            if sqlite
            else f"FOR EACH {each} EXECUTE FUNCTION guard_refuse('{sentence}')"
        )
        yield f"CREATE TRIGGER guard_{table}_{event} BEFORE {event.upper()} ON {table} {refused}"
