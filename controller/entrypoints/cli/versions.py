"""`incumbent versions MODEL` and `incumbent search`: versions and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from controller.domain.errors import UserError
from controller.domain.versions import VersionState
from controller.entrypoints.cli.listing import ChoiceOption, choice_option
from controller.entrypoints.cli.output import Column, figures, json_option, print_list, print_table
from controller.entrypoints.cli.session import (
    CliSession,
    gate_metrics,
    known_model,
    only_model,
    parse_when,
    pass_session,
)
from controller.service.explain.search import SearchFilters, parse_tag, search

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _filters(command: Decorated) -> Decorated:
    """What versions can be looked for by."""
    for option in (
        choice_option(ChoiceOption("--state", "states", VersionState, "versions in this state")),
        click.option("--metric", "metrics", multiple=True, help="Only if it holds: mae<15."),
        click.option(
            "--tag", "tags", multiple=True, help="Only with this tag: team=fraud, or team."
        ),
        click.option(
            "--data", type=click.IntRange(min=0), help="Trained on the data up to this batch."
        ),
        click.option("--alias", help="Only where this alias points."),
        click.option("--since", help="Created from this time or age on: 2013-06-01, 7d."),
        click.option("--until", help="Created before this time or age."),
        click.option(
            "--limit", "-n", type=click.IntRange(min=1), help="At most so many, the newest."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("model", required=False)
@_filters
@json_option
@pass_session
def versions(session: CliSession, /, model: str | None, as_json: bool, **filters: Any) -> None:
    """List the versions of MODEL, newest first; the champion is marked."""
    with session.read() as tx:
        name = model or only_model(tx)
        if name is None:
            raise UserError("Name a model.", hint="`incumbent status` lists them.")
        known_model(tx, name)
        found = search(tx, _wanted(session, (name,), filters))
        named = gate_metrics(session, tx, name)
    rows = [_row(one) for one in found]
    if as_json:
        print_list(rows)
        return
    narrowed = any(filters[key] for key in filters if key != "limit")
    empty = f"{name} has no version{' like that' if narrowed else ' yet'}."
    print_table(_COLUMNS, [_cells(row, named) for row in rows], empty)


@click.command(name="search")
@click.argument("models", nargs=-1)
@_filters
@json_option
@pass_session
def search_command(
    session: CliSession, /, models: tuple[str, ...], as_json: bool, **filters: Any
) -> None:
    """Look for versions over all MODELS (default: every one) by state, metric, tag, data and date."""
    with session.read() as tx:
        for name in models:
            known_model(tx, name)
        found = search(tx, _wanted(session, models, filters))
    rows = [_row(one) for one in found]
    if as_json:
        print_list(rows)
        return
    columns = (Column("MODEL", "model"), *_COLUMNS)
    print_table(columns, [_cells(row, frozenset()) for row in rows], "There is no such version.")


def _wanted(session: CliSession, models: tuple[str, ...], filters: dict[str, Any]) -> SearchFilters:
    now = session.now()
    return SearchFilters(
        models=models,
        states=tuple(VersionState(state) for state in filters["states"]),
        metrics=filters["metrics"],
        tags=dict(map(parse_tag, filters["tags"])),
        data=filters["data"],
        alias=filters["alias"],
        since=parse_when(filters["since"], now),
        until=parse_when(filters["until"], now),
        limit=filters["limit"] or 1_000_000,
    )


_COLUMNS = (
    Column("", "mark", style="bold green"),
    Column("VERSION", "name"),
    Column("STATE", "state"),
    Column("CREATED (UTC)", "created"),
    Column("RUN", "run"),
    Column("METRICS", "figures", fold=True),
    Column("DIGEST", "short"),
    Column("ALIASES, TAGS", "words", fold=True),
)


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """`metrics` are those of the newest holdout, over those that training reported."""
    names = (
        "version", "state", "champion", "digest", "run", "metrics", "created_at", "model", "recipe", "size",
        "data_through", "decision", "verified", "promoted_at", "sunset", "tags", "aliases", "description",
    )  # fmt: skip
    return {name: found[name] for name in names}


def _cells(row: dict[str, Any], named: frozenset[str]) -> dict[str, Any]:
    return {
        **row,
        "mark": "*" if row["champion"] else "",
        "name": f"v{row['version']}",
        "created": row["created_at"][:16].replace("T", " "),
        "figures": figures(row["metrics"], named),
        "words": ", ".join(
            [f"@{name}" for name in row["aliases"]] + [f"{k}={v}" for k, v in row["tags"].items()]
        ),
        "short": row["digest"][:12],
    }
