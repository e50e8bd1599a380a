"""`incumbent grants`: the SQL that gives the application's PostgreSQL role what it needs, and nothing to own."""

from __future__ import annotations

import click


@click.command()
@click.argument("role")
def grants(role: str) -> None:
    """Print the SQL that lets ROLE work with the tables without owning them. Their owner runs it, after a migration.

    For example: incumbent grants incumbent_app | psql "$OWNER_URL"
    """
    from controller.adapters.sql.grants import grants

    for statement in grants(role):
        click.echo(f"{statement};")
