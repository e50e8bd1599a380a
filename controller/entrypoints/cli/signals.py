"""`incumbent signals`: what happened, and what became of it ("why did it not train?")."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.session import Session, known_model, parse_when, pass_session
from controller.ports import Query


@click.group(cls=DefaultGroup)
def signals() -> None:
    """Show what happened and what became of it."""


@signals.command(name="list")
@click.option("--model", "-m", help="Only those of this model.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([s.value for s in SignalStatus]),
    help="Only those with this status; may be given several times.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([k.value for k in SignalKind]),
    help="Only those of this kind; may be given several times.",
)
@click.option("--since", help="Only those from this time or age on: 2013-06-01, 36h, 7d.")
@click.option("--limit", "-n", type=click.IntRange(min=1), default=100, show_default=True)
@json_option
@pass_session
def list_signals(
    session: Session,
    *,
    model: str | None,
    statuses: tuple[str, ...],
    kinds: tuple[str, ...],
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List signals, newest first, each with its answer."""
    query = Query(
        model=model,
        states=statuses,
        kinds=kinds,
        since=parse_when(since, session.now()),
        limit=limit,
    )
    with session.read() as tx:
        if model is not None:
            known_model(tx, model)
        found = [_document(signal) for signal in tx.signals.find(query)]
    if as_json:
        print_list(found)
        return
    print_table(_COLUMNS, [_cells(row) for row in found], "There is no such signal.")


@signals.command()
@click.argument("number", type=int)
@json_option
@pass_session
def show(session: Session, number: int, as_json: bool) -> None:
    """Show one signal with all it says."""
    with session.read() as tx:
        signal = tx.signals.get(number)
    if signal is None:
        raise NotFound(f"There is no signal {number}.", hint="`incumbent signals` lists them.")
    document = _document(signal)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **document})
        return
    for key, value in document.items():
        click.echo(f"{key.replace('_', ' '):<12} {value}")


_COLUMNS = (
    Column("ID", "id", right=True),
    Column("RECEIVED (UTC)", "received"),
    Column("MODEL", "model"),
    Column("WHAT", "what"),
    Column("BY", "actor"),
    Column("STATUS", "status", style="bold"),
    Column("DECISION", "decision", right=True),
    Column("ANSWER", "reason", fold=True),
)


def _document(signal: Signal) -> dict[str, Any]:
    document: dict[str, Any] = to_plain(signal)
    return document


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    from controller.service.explain import describe_signal

    received = row["received_at"][:16].replace("T", " ")
    return {**row, "received": received, "what": describe_signal(row)}
