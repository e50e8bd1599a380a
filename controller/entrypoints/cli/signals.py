"""`incumbent signals`: what happened, and what became of it ("why did it not train?")."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.entrypoints.cli.listing import Choice, list_options, query_of
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.session import Session, pass_session


@click.group(cls=DefaultGroup)
def signals() -> None:
    """Show what happened and what became of it."""


@signals.command(name="list")
@list_options(
    Choice("--status", "states", SignalStatus, "those with this status"),
    Choice("--kind", "kinds", SignalKind, "those of this kind"),
)
@pass_session
def list_signals(session: Session, /, as_json: bool, **filters: Any) -> None:
    """List signals, newest first, each with its answer."""
    with session.read() as tx:
        found = [_document(signal) for signal in tx.signals.find(query_of(session, tx, filters))]
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
