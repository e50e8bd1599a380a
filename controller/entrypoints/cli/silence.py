"""`incumbent silence`: what nobody wants to hear for a while."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound, UserError
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.people import needed_reason
from controller.entrypoints.cli.session import Session, parse_when, pass_session
from controller.ports import Silence


@click.group(cls=DefaultGroup)
def silence() -> None:
    """Silence messages for a while, list silences, end one."""


@silence.command()
@click.option("--model", help="Only of this model; may hold *.")
@click.option("--event", help="Only this event, as policies name it: held, failed, drifted.")
@click.option("--channel", help="Only to this channel.")
@click.option("--for", "span", required=True, help="How long: 30m, 2h, 3d.")
@click.option("--reason", help="Why, for those who wonder. Needed.")
@json_option
@pass_session
def add(
    session: Session,
    *,
    model: str | None,
    event: str | None,
    channel: str | None,
    span: str,
    reason: str | None,
    as_json: bool,
) -> None:
    """Silence what matches, for a while. The log keeps what was silenced."""
    from controller.service.notices.again import silence as keep

    why, now = needed_reason(reason), session.now()
    past = parse_when(span, now)
    if past is None or past >= now:
        raise UserError(f"{span!r} is no span of time.", hint="Write 30m, 2h or 3d.")
    wanted = Silence(
        model=model,
        event=event,
        channel=channel,
        reason=why,
        created_by=session.actor,
        created_at=now,
        ends_at=now + (now - past),
    )
    with session.store.begin() as tx:
        kept = keep(tx, wanted, now)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **to_plain(kept)})
        return
    click.echo(
        f"Silence {kept.id}: {_what(kept)}, until {kept.ends_at:%Y-%m-%d %H:%M} UTC."
        f" `incumbent silence end {kept.id}` ends it."
    )


@silence.command(name="list")
@click.option("--all", "past", is_flag=True, help="Past ones too.")
@json_option
@pass_session
def list_silences(session: Session, *, past: bool, as_json: bool) -> None:
    """List the silences in force."""
    with session.read() as tx:
        found = tx.silences.find() if past else tx.silences.active(session.now())
    rows = [_row(kept) for kept in found]
    if as_json:
        print_list(rows)
        return
    columns = [
        Column("ID", "id", right=True),
        Column("WHAT", "what"),
        Column("UNTIL", "ends_at"),
        Column("BY", "created_by"),
        Column("WHY", "reason", fold=True),
    ]
    print_table(columns, rows, "Nothing is silenced.")


@silence.command()
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def end(session: Session, number: int) -> None:
    """End silence NUMBER now."""
    with session.store.begin() as tx:
        done = tx.silences.end(number, session.now())
    if not done:
        raise NotFound(
            f"There is no silence {number} in force.", hint="`incumbent silence` lists them."
        )
    click.echo(f"Silence {number} is over.")


def _what(kept: Silence) -> str:
    event = kept.event or "everything"
    return f"{event} about {kept.model or 'every model'} to {kept.channel or 'every channel'}"


def _row(kept: Silence) -> dict[str, Any]:
    return {**to_plain(kept), "ends_at": kept.ends_at, "what": _what(kept)}
