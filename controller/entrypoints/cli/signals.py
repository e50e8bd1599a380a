"""`incumbent signals`: what happened, and what became of it ("why did it not train?")."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.domain.payloads import EXACT
from controller.domain.signals import Signal, SignalKind, SignalStatus
from controller.entrypoints.cli.listing import ChoiceOption, list_options, query_of
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    key_option,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.service.commands.submit import Command


@click.group(cls=DefaultGroup)
def signals() -> None:
    """Show what happened and what became of it."""


@signals.command(name="list")
@list_options(
    ChoiceOption("--status", "states", SignalStatus, "those with this status"),
    ChoiceOption("--kind", "kinds", SignalKind, "those of this kind"),
)
@pass_session
def list_signals(session: CliSession, /, as_json: bool, **filters: Any) -> None:
    """List signals, newest first, each with its answer."""
    with session.read() as tx:
        found = [_document(signal) for signal in tx.signals.find(query_of(session, tx, filters))]
    if as_json:
        print_list(found)
        return
    print_table(_COLUMNS, [_cells(row) for row in found], "There is no such signal.")


@signals.command("show")
@click.argument("number", type=int)
@json_option
@pass_session
def show_signal(session: CliSession, number: int, as_json: bool) -> None:
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


@signals.command()
@click.argument("number", type=click.IntRange(1, EXACT))
@key_option
@word_options
@pass_session
def dismiss(
    session: CliSession,
    *,
    number: int,
    key: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """End signal NUMBER, which is stuck or which nobody wants any more. It has no effect then.

    It also works on a model that is stopped by an error.
    """
    why = needed_reason(reason)
    with session.read() as tx:
        signal = tx.signals.get(number)
    if signal is None:
        raise NotFound(f"There is no signal {number}.", hint="`incumbent signals` lists them.")
    plan = f"Signal {number} ({signal.kind.value} of {signal.model}) ends without an effect."
    payload = {"signal": number}
    says = Command(action="dismiss", model=signal.model, reason=why, payload=payload, key=key)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


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
    from controller.service.explain.decision import describe_signal

    received = row["received_at"][:16].replace("T", " ")
    return {**row, "received": received, "what": describe_signal(row)}
