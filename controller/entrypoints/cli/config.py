"""`incumbent config`: the settings in force, and where each value comes from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from controller.entrypoints.cli.output import Column, json_option, print_list, print_table
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.settings import ENV_PREFIX, Settings, config_file


@click.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@json_option
@pass_session
def config(session: CliSession, *, origin: bool, as_json: bool) -> None:
    """Show the settings: flag over environment over file over default. Secrets are not shown."""
    rows = list(_rows(session.settings))
    if as_json:
        print_list(rows)
        return
    columns = [Column("SETTING", "setting", style="bold"), Column("VALUE", "value")]
    columns.append(Column("FROM", "origin") if origin else Column("MEANING", "meaning", fold=True))
    print_table(columns, rows, "There are no settings.")


def _rows(settings: Settings) -> Iterator[dict[str, str | None]]:
    """Each setting with its value (a secret as stars) and the place that it was read from."""
    in_file = _keys_of(config_file())
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        variable = f"{ENV_PREFIX}{name.upper()}"
        if os.environ.get(variable):
            origin = variable
        elif os.environ.get(f"{variable}_FILE"):
            origin = f"{variable}_FILE ({os.environ[f'{variable}_FILE']})"
        elif name in in_file:
            origin = str(config_file())
        else:
            origin = "default"
        yield {
            "setting": name,
            "value": None if value is None else str(value),
            "origin": origin,
            "meaning": field.description,
        }


def _keys_of(file: Path | None) -> set[str]:
    if file is None:
        return set()
    with file.open("rb") as stream:
        return set(tomllib.load(stream))
