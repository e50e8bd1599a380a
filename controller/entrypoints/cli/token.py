"""`incumbent token`: rights of programs and people to call the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from controller.domain.canonical import parse_time, to_plain
from controller.domain.errors import NotFound, UserError
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
from controller.entrypoints.cli.session import CliSession, parse_when, pass_session


@click.group(cls=DefaultGroup)
def token() -> None:
    """Create, list and revoke tokens of the API."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "reviewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="What it may do at most.",
)
@click.option(
    "--owner", "owners", multiple=True, help="Only with models of this owner; several times."
)
@click.option("--expires", default="30d", show_default=True, help="How long it is good: 12h, 30d.")
@click.option("--as", "actor", help="Whom it speaks for. Default: you.")
@json_option
@pass_session
def create(
    session: CliSession,
    *,
    name: str,
    role: str,
    owners: tuple[str, ...],
    expires: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Create a token called NAME. It is shown once, on stdout; only its SHA-256 is kept."""
    now = session.now()
    past = parse_when(expires, now)
    if past is None or past >= now:
        raise UserError(f"{expires!r} is no span of time.", hint="Write 12h or 30d.")
    lasts = now - past
    if session.remote is not None:
        made = session.remote.create_token(name, role, lasts, owners=owners, actor=actor)
    else:
        made = _issue(session, name=name, role=role, owners=owners, lasts=lasts, actor=actor)
    secret = made.pop("token")
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "token": secret, **made})
        return
    until = parse_time(made["expires_at"])
    tell_person(
        f"Token {made['id']} speaks as {made['actor']}, {role}, until {until:%Y-%m-%d %H:%M} UTC."
    )
    click.echo(secret)


def _issue(
    session: CliSession,
    *,
    name: str,
    role: str,
    owners: tuple[str, ...],
    lasts: timedelta,
    actor: str | None,
) -> dict[str, Any]:
    """A token made in the database here, as the API would answer."""
    from controller.service.commands.access import TokenOrder, issue_token, parse_role

    speaks = actor or session.actor
    order = TokenOrder(
        name=name,
        actor=speaks if ":" in speaks else f"person:{speaks}",
        role=parse_role(role),
        lasts=lasts,
        owners=owners,
        by=session.actor,
    )
    with session.store.begin() as tx:
        secret, kept = issue_token(tx, order, session.now())
    return {"token": secret, **_row(kept)}


@token.command(name="list")
@json_option
@pass_session
def list_tokens(session: CliSession, *, as_json: bool) -> None:
    """List every token that was ever issued. The tokens themselves cannot be shown again."""
    if session.remote is not None:
        rows = session.remote.tokens()
    else:
        with session.read() as tx:
            rows = [_row(kept) for kept in tx.tokens.all()]
    if as_json:
        print_list(rows)
        return
    columns = [
        Column("ID", "id", right=True),
        Column("NAME", "name"),
        Column("SPEAKS AS", "actor"),
        Column("ROLE", "role"),
        Column("MODELS OF", "owners"),
        Column("UNTIL", "expires_at"),
        Column("REVOKED", "revoked_at"),
    ]
    print_table(columns, rows, "There is no token; `incumbent token create NAME` makes one.")


@token.command("revoke")
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def revoke_token_command(session: CliSession, number: int) -> None:
    """End token NUMBER at once."""
    if session.remote is not None:
        session.remote.revoke_token(number)
    elif not _revoked(session, number):
        raise NotFound(
            f"There is no token {number}.",
            hint="`incumbent token list` shows them.",
        )
    click.echo(f"Token {number} is revoked.")


def _revoked(session: CliSession, number: int) -> bool:
    """Whether the token is at its end now; False if there is none of that number."""
    with session.store.begin() as tx:
        known = any(token.id == number for token in tx.tokens.all())
        tx.tokens.revoke(number, session.now())
    return known


def _row(kept: Any) -> dict[str, Any]:
    row: dict[str, Any] = to_plain(kept)
    del row["digest"], row["key"]
    return row
