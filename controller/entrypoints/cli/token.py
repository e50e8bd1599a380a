"""`incumbent token`: rights of programs and people to call the API."""

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
    tell,
)
from controller.entrypoints.cli.session import Session, parse_when, pass_session


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
    session: Session,
    *,
    name: str,
    role: str,
    owners: tuple[str, ...],
    expires: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Create a token called NAME. It is shown once, on stdout; only its SHA-256 is kept."""
    from controller.service.access import TokenOrder, issue_token, parse_role

    now = session.now()
    past = parse_when(expires, now)
    if past is None or past >= now:
        raise UserError(f"{expires!r} is no span of time.", hint="Write 12h or 30d.")
    speaks = actor or session.actor
    order = TokenOrder(
        name=name,
        actor=speaks if ":" in speaks else f"person:{speaks}",
        role=parse_role(role),
        lasts=now - past,
        owners=owners,
        by=session.actor,
    )
    with session.store.begin() as tx:
        secret, kept = issue_token(tx, order, now)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "token": secret, **_row(kept)})
        return
    tell(
        f"Token {kept.id} speaks as {kept.actor}, {role}, until {kept.expires_at:%Y-%m-%d %H:%M} UTC."
    )
    click.echo(secret)


@token.command(name="list")
@json_option
@pass_session
def list_tokens(session: Session, *, as_json: bool) -> None:
    """List every token that was ever issued. The tokens themselves cannot be shown again."""
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


@token.command()
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def revoke(session: Session, number: int) -> None:
    """End token NUMBER at once."""
    with session.store.begin() as tx:
        done = tx.tokens.revoke(number, session.now())
    if not done:
        raise NotFound(
            f"There is no token {number} that could be revoked.",
            hint="`incumbent token list` shows them.",
        )
    click.echo(f"Token {number} is revoked.")


def _row(kept: Any) -> dict[str, Any]:
    row: dict[str, Any] = to_plain(kept)
    row.pop("digest")
    return row
