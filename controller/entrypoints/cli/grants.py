"""`incumbent grants`: the SQL that gives each process's PostgreSQL role what it needs, and nothing to own."""

from __future__ import annotations

import os

import click

from controller.domain.errors import UserError
from controller.entrypoints.cli.session import CliSession, pass_session

_PROCESSES = ("controller", "api", "worker", "reader", "application")


@click.command()
@click.argument("role", required=False)
@click.option(
    "--for", "process", type=click.Choice(_PROCESSES), default="application",
    help="Whose login ROLE is. application: one role for all processes.",
)  # fmt: skip
@click.option(
    "--apply", "run", is_flag=True,
    help="Migrate the database and run the SQL, as the role that INCUMBENT_DATABASE_URL names.",
)  # fmt: skip
@pass_session
def grants(session: CliSession, role: str | None, process: str, *, run: bool) -> None:
    """Print the SQL that lets ROLE work with the tables without owning them. Their owner runs it, after a migration.

    Without ROLE it makes four roles: incumbent_controller, incumbent_api, incumbent_worker and incumbent_reader.
    With --apply they get the passwords that INCUMBENT_CONTROLLER_PASSWORD, INCUMBENT_API_PASSWORD,
    INCUMBENT_WORKER_PASSWORD and INCUMBENT_READER_PASSWORD hold.

    For example: incumbent grants | psql "$OWNER_URL"
    """
    from controller.adapters.sql.grants import Process, all_roles, apply
    from controller.adapters.sql.grants import grant_statements as granted

    if role is None and process != "application":
        raise UserError(
            "Name the role.",
            hint=f"For example: incumbent grants incumbent_{process} --for {process}",
        )
    statements = all_roles() if role is None else granted(role, Process(process))
    if not run:
        for statement in ("BEGIN", *statements, "COMMIT"):
            click.echo(f"{statement};")
        return
    from controller.adapters.sql.schema import migrate

    url = session.settings.database
    migrate(url)
    apply(url, [*statements, *(_passwords() if role is None else ())])
    click.echo("The roles may do what they need now.")


def _passwords() -> list[str]:
    """Of the roles whose password the environment holds."""
    from controller.adapters.sql.grants import SEPARATE, passwords

    named = {process: f"INCUMBENT_{process.value.upper()}_PASSWORD" for process in SEPARATE}
    return passwords({p: os.environ[name] for p, name in named.items() if os.environ.get(name)})
