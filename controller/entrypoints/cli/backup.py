"""`incumbent backup` and `incumbent restore`: everything that is true, as a folder, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.domain.errors import IntegrityError
from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json
from controller.entrypoints.cli.session import CliSession, pass_session

if TYPE_CHECKING:
    from controller.adapters.backup.folder import Manifest
    from controller.settings import Settings

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", type=_FOLDER)
@json_option
@pass_session
def backup(session: CliSession, *, folder: Path, as_json: bool) -> None:
    """Copy database and artifacts into FOLDER, while everything runs. Secrets and settings are not part of it."""
    from controller.adapters.backup.folder import back_up
    from controller.home import private_files

    with session.read() as tx:  # a database that is not there is a sentence, not an empty backup
        before, _ = tx.decisions.head()
    settings = session.settings
    with private_files():
        made = back_up(settings.database, settings.artifacts, folder)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "folder": str(folder), **asdict(made)})
        return
    click.echo(f"{folder} holds the database ({before:,} decisions or more) and {_said(made)}.")
    click.echo(
        f"It holds no secret: keep {_key_of(settings)} elsewhere, in a place that only you can read."
    )


@click.command()
@click.argument("folder", type=_FOLDER)
@json_option
@pass_session
def restore(session: CliSession, *, folder: Path, as_json: bool) -> None:
    """Fill an empty installation from the backup in FOLDER. Nothing that exists is ever overwritten."""
    from controller.adapters.backup.folder import restore_folder as put_back
    from controller.bootstrap import artifact_store_of, only_controller
    from controller.home import prepare_home

    settings = session.settings
    prepare_home(settings.home, settings.home_access)
    with only_controller(settings):
        held = put_back(folder, settings.database, artifact_store_of(settings))
    with session.read() as tx:
        last, head = tx.decisions.head()
        record = tx.decisions.get(last) if last else None
    if last and (record is None or record.hash != head):
        raise IntegrityError(
            "The restored database does not hold the decision that its chain ends with."
        )
    if as_json:
        body = {"folder": str(folder), "decisions": last, "head": head, **asdict(held)}
        print_json({"schema_version": SCHEMA_VERSION, **body})
        return
    click.echo(f"Restored {last:,} decisions, head {head[:12]}, and {_said(held)}.")
    click.echo(
        f"Signals that wait are believed by the key that marked them: put it into {_key_of(settings)} first."
    )
    click.echo(
        "`incumbent verify --all` derives each of them again; then start with `incumbent up`."
    )


def _key_of(settings: Settings) -> str:
    """Where the key is that marks signals: the setting, or the file beside an SQLite database."""
    from controller.bootstrap import sqlite_file

    file = sqlite_file(settings)
    if settings.signing_key is not None or file is None:
        return "INCUMBENT_SIGNING_KEY"
    return str(file.parent / "signing.key")


def _said(made: Manifest) -> str:
    if made.elsewhere:
        return f"leaves the artifacts in {made.elsewhere}"
    return f"{made.artifacts:,} artifacts"
