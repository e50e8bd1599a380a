"""What the commands that list things have in common: their options, and the query that these ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import click

from controller.entrypoints.cli.output import json_option
from controller.entrypoints.cli.session import CliSession, known_model, parse_when
from controller.ports import Query, Transaction

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_TIMES = "2013-06-01, 36h, 7d"


@dataclass(frozen=True, slots=True)
class ChoiceOption:
    """An option that may be given several times: its name, the field of the query, its values, and whom it keeps."""

    option: str
    field: str
    values: type[StrEnum]
    keeps: str


def model_option(command: Decorated) -> Decorated:
    """Adds `--model`."""
    return click.option("--model", "-m", help="Only those of this model.")(command)


def choice_option(choice: ChoiceOption) -> Callable[[Decorated], Decorated]:
    """Adds an option that keeps what has one of the values given."""
    return click.option(
        choice.option,
        choice.field,
        multiple=True,
        type=click.Choice([value.value for value in choice.values]),
        help=f"Only {choice.keeps}; may be given several times.",
    )


def since_option(which: str = "those") -> Callable[[Decorated], Decorated]:
    """Adds `--since`."""
    return click.option("--since", help=f"Only {which} from this time or age on: {_TIMES}.")


def list_options(*choices: ChoiceOption, since: str = "those") -> Callable[[Decorated], Decorated]:
    """Adds `--model`, the choices, `--since`, `--limit` and `--json`: all but the last go to :func:`query_of`."""
    limit = click.option(
        "--limit", "-n", type=click.IntRange(min=1), default=100, show_default=True
    )
    options = (model_option, *map(choice_option, choices), since_option(since), limit, json_option)

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def query_of(session: CliSession, tx: Transaction, filters: dict[str, Any]) -> Query:
    """What the options ask for; NotFound where nothing is known of the model."""
    if filters["model"] is not None:
        known_model(tx, filters["model"])
    return Query(**{**filters, "since": parse_when(filters["since"], session.now())})
