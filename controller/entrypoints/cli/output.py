"""What every reading command prints: data on stdout as JSON or as a table, everything else on stderr.

A table is drawn by rich on a terminal, and is plain aligned text everywhere else, so that `grep` and `awk` see
whole values: nothing is cut off and nothing is coloured there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from controller.domain.canonical import to_plain
from controller.policy.phrase import format_time_utc

SCHEMA_VERSION = 1
"""Version of the JSON that commands print; raised when a key changes its meaning or goes."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def json_option(command: Decorated) -> Decorated:
    """Adds `--json`, which the command gets as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def yes_option(command: Decorated) -> Decorated:
    """Adds `--yes`, which the command gets as `yes`."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its title, the key of a row's value, and whether it is a number."""

    title: str
    key: str
    right: bool = False
    style: str = ""
    fold: bool = False
    """Whether a long value may be broken over lines on a terminal."""


def print_json(value: Any) -> None:
    """One JSON document: indented for people on a terminal, in one line elsewhere."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(to_plain(value), indent=indent, ensure_ascii=False, allow_nan=False))


def print_list(rows: Iterable[Mapping[str, Any]]) -> None:
    """A JSON list of objects, each with `schema_version`, one a line; a long list is never held whole."""
    click.echo("[", nl=False)
    between = "\n"
    for row in rows:
        body = {"schema_version": SCHEMA_VERSION, **to_plain(row)}
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        click.echo(between + text, nl=False)
        between = ",\n"
    click.echo("\n]" if between != "\n" else "]")


def print_table(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], empty: str) -> None:
    """Rows in order; `empty` is the sentence for stderr when there is none."""
    cells = [[show_cell(row.get(column.key)) for column in columns] for row in rows]
    if not cells:
        tell_person(empty)
    elif on_terminal():
        _draw(columns, cells)
    else:
        for line in align([[c.title for c in columns], *cells], [c.right for c in columns]):
            click.echo(line)


def align(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterable[str]:
    """Rows of cells as lines with two spaces between columns, and none at the end."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(right))]
    for row in rows:
        parts = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ]
        yield "  ".join(parts).rstrip()


def _draw(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style or None,
            no_wrap=not column.fold,
            overflow="fold" if column.fold else "ellipsis",
        )
    for row in cells:
        table.add_row(*(escape(cell) for cell in row))
    console().print(table)


def console(*, stderr: bool = False) -> Any:
    """A rich console that keeps NO_COLOR and TERM=dumb."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, no_color=not colours())


def on_terminal(*, stderr: bool = False) -> bool:
    """Whether a person looks at the stream, on a terminal that can move its cursor."""
    stream = sys.stderr if stderr else sys.stdout
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colours() -> bool:
    """Whether colours are wanted (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and on_terminal()


def style(text: str, **how: Any) -> str:
    """`text` in colours where they are wanted."""
    return click.style(text, **how) if colours() else text


def tell_person(sentence: str) -> None:
    """A word to the person, beside the data: on stderr."""
    click.echo(sentence, err=True)


def show_cell(value: Any) -> str:
    """A value as a cell: times without microseconds, numbers short, nothing as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return time_cell(value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(show_cell(item) for item in value) or "-"
    return str(value)


def time_cell(at: datetime) -> str:
    """`2013-02-01 00:00` in UTC, with seconds where they are not zero."""
    return format_time_utc(at).removesuffix(" UTC")


def version_name(number: int | None) -> str:
    """`v3`, or a dash."""
    return "-" if number is None else f"v{number}"


def figures(metrics: Mapping[str, float], named: Collection[str]) -> str:
    """The metrics in `named` (all, if none of them is there) as `mae 14.2, rmse 31`."""
    shown = {key: value for key, value in metrics.items() if key in named} or metrics
    return ", ".join(f"{key} {show_cell(value)}" for key, value in sorted(shown.items()))
