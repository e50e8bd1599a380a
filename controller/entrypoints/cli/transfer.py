"""`incumbent import` and `incumbent export`: models from a team's MLflow server, and to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from controller.domain.errors import UserError
from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json, tell_person
from controller.entrypoints.cli.session import CliSession, pass_session

if TYPE_CHECKING:
    from controller.service.registry.mlflow.transfer import Moved


@click.command(name="import")
@click.argument("server")
@click.argument("models", nargs=-1)
@click.option(
    "--as", "named", default="", metavar="NAME", help="What the one MODEL is called here."
)
@json_option
@pass_session
def import_(
    session: CliSession, *, server: str, models: tuple[str, ...], named: str, as_json: bool
) -> None:
    """Bring MODELS (all, if none is named) of an MLflow SERVER here, as models without a policy.

    Versions keep their numbers and sources; doing it again brings what is new. SERVER is mlflow://host:5000 or
    mlflow+https://host; INCUMBENT_REGISTRY_TOKEN logs in there.
    """
    from controller.adapters.clock import SystemClock
    from controller.bootstrap import open_mlflow
    from controller.service.registry.mlflow.transfer import import_models

    if named and len(models) != 1:
        raise UserError("--as names one model.", hint="Name exactly one MODEL before it.")
    client = open_mlflow(session.settings, server)
    found = import_models(session.store, client, models, SystemClock().now(), named)
    _say(found, "imported", as_json=as_json)


@click.command(name="export")
@click.argument("server")
@click.argument("models", nargs=-1)
@json_option
@pass_session
def export(session: CliSession, *, server: str, models: tuple[str, ...], as_json: bool) -> None:
    """Enter MODELS (all with a policy, if none is named) at an MLflow SERVER, with their files, once.

    The setting `registry` publishes them continually instead. SERVER is mlflow://host:5000 or mlflow+https://host;
    INCUMBENT_REGISTRY_TOKEN logs in there.
    """
    from controller.bootstrap import build_packer, open_team_registry
    from controller.service.registry.mlflow.transfer import export_models

    team = open_team_registry(session.settings, server)
    found = export_models(session.store, team, build_packer(session.settings), models)
    _say(found, "exported", as_json=as_json)


def _say(found: Iterable[Moved], done: str, *, as_json: bool) -> None:
    rows = []
    for one in found:
        rows.append(one)
        if not as_json:
            what = f"{one.versions:,} versions and {one.aliases:,} aliases {done}"
            click.echo(
                f"{one.model}: {'not ' + done + ': ' + one.skipped if one.skipped else what}"
            )
    if as_json:
        listed = [
            {
                "model": one.model,
                "versions": one.versions,
                "aliases": one.aliases,
                "skipped": one.skipped,
            }
            for one in rows
        ]
        print_json({"schema_version": SCHEMA_VERSION, "models": listed})
    elif not rows:
        tell_person(f"There is no model to be {done}.")
