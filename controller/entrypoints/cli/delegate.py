"""`incumbent delegate`: let somebody else approve in your place for a while."""

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
    tell_person,
)
from controller.entrypoints.cli.person_commands import needed_reason
from controller.entrypoints.cli.session import CliSession, parse_when, pass_session


@click.group(cls=DefaultGroup)
def delegate() -> None:
    """Let somebody else approve in your place, list who does, and take it back."""


@delegate.command()
@click.argument("person")
@click.option("--for", "lasts", default="7d", show_default=True, help="How long: 12h, 7d.")
@click.option("--reason", help="Why, for the log. Needed.")
@json_option
@pass_session
def to(session: CliSession, *, person: str, lasts: str, reason: str | None, as_json: bool) -> None:
    """Let PERSON approve in your place. They need the role reviewer themselves; nobody counts twice."""
    why, now = needed_reason(reason), session.now()
    past = parse_when(lasts, now)
    if past is None or past >= now:
        raise UserError(f"{lasts!r} is no span of time.", hint="Write 12h or 7d.")
    row = session.delegate(person, now + (now - past), why)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **row})
        return
    tell_person(
        f"{row['to']} approves in your place until {row['until'][:16].replace('T', ' ')} UTC."
    )
    click.echo(row["id"])


@delegate.command(name="list")
@json_option
@pass_session
def list_delegations(session: CliSession, *, as_json: bool) -> None:
    """List delegations, the newest first."""
    with session.read() as tx:
        rows: list[dict[str, Any]] = [to_plain(found) for found in tx.delegations.all()]
    if as_json:
        print_list(rows)
        return
    columns = [
        Column("ID", "id", right=True), Column("BY", "actor"), Column("TO", "to"), Column("SINCE", "since"),
        Column("UNTIL", "until"), Column("TAKEN BACK", "revoked_at"), Column("REASON", "reason", fold=True),
    ]  # fmt: skip
    print_table(columns, rows, "Nobody stands in for anybody.")


@delegate.command("revoke")
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def revoke_delegation(session: CliSession, number: int) -> None:
    """Take delegation NUMBER back at once."""
    row = session.take_back(number)
    click.echo(f"{row['to']} no longer approves in the place of {row['actor']}.")
