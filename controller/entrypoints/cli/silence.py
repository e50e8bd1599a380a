"""`incumbent silence`: what nobody wants to hear for a while."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import UserError
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.person_commands import needed_reason
from controller.entrypoints.cli.session import CliSession, parse_when, pass_session
from controller.ports import Silence


@click.group(cls=DefaultGroup)
def silence() -> None:
    """Silence messages for a while, list silences, end one."""


@silence.command("add")
@click.option("--model", help="Only of this model; may hold *.")
@click.option("--event", help="Only this event, as policies name it: held, failed, drifted.")
@click.option("--channel", help="Only to this channel.")
@click.option("--for", "span", required=True, help="How long: 30m, 2h, 3d.")
@click.option("--reason", help="Why, for those who wonder. Needed.")
@json_option
@pass_session
def add_silence_command(
    session: CliSession,
    *,
    model: str | None,
    event: str | None,
    channel: str | None,
    span: str,
    reason: str | None,
    as_json: bool,
) -> None:
    """Silence what matches, for a while. The log keeps what was silenced."""
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
    kept = _keep(session, wanted)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **_plain(kept)})
        return
    click.echo(
        f"Silence {kept.id}: {_what(kept)}, until {kept.ends_at:%Y-%m-%d %H:%M} UTC."
        f" `incumbent silence end {kept.id}` ends it."
    )


@silence.command(name="list")
@click.option("--all", "past", is_flag=True, help="Past ones too.")
@json_option
@pass_session
def list_silences(session: CliSession, *, past: bool, as_json: bool) -> None:
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


@silence.command("end")
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def end_silence_command(session: CliSession, number: int) -> None:
    """End silence NUMBER now."""
    if session.remote is not None:
        session.remote.end_silence(number)
    else:
        from controller.service.messages.again import finish_silence

        with session.store.begin() as tx:
            finish_silence(tx, session.person, number, session.parse_rules, session.now())
    click.echo(f"Silence {number} is over.")


def _keep(session: CliSession, wanted: Silence) -> Silence:
    if session.remote is not None:
        from controller.domain import codec

        said = session.remote.silence(
            wanted.ends_at - wanted.created_at, wanted.reason,
            model=wanted.model, event=wanted.event, channel=wanted.channel,
        )  # fmt: skip
        kept: Silence = codec.load_plain(Silence, said)
        return kept
    from controller.service.messages.again import keep_silence as keep
    from controller.service.messages.again import must_silence

    with session.store.begin() as tx:
        must_silence(tx, session.person, wanted, session.parse_rules)
        return keep(tx, wanted, wanted.created_at)


def _what(kept: Silence) -> str:
    event = kept.event or "everything"
    return f"{event} about {kept.model or 'every model'} to {kept.channel or 'every channel'}"


def _row(kept: Silence) -> dict[str, Any]:
    return {**_plain(kept), "ends_at": kept.ends_at, "what": _what(kept)}


def _plain(kept: Silence) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(kept)
    plain.pop("key")
    return plain
