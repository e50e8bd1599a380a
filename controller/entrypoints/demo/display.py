"""What the demonstration shows: a live table on a terminal, a line a month everywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click

from controller.domain.run_kinds import run_work
from controller.domain.runs import RunState
from controller.entrypoints.cli.output import align, console, on_terminal
from controller.entrypoints.demo.project import MonthFile
from controller.entrypoints.demo.story import Chapter, DemoMoment

TITLES = ("ID", "MONTH", "ROWS", "TRIGGER", "CHALLENGER", "CHAMPION", "VERDICT", "REASON")
_RIGHT = (True, False, True, False, True, True, False, False)
_ROOMY = 100
"""Columns of a terminal from which on the table has room between its columns; it fits into 80."""
_COLOUR = {"promote": "green", "reject": "red", "hold": "yellow"}


class Display(Protocol):
    """Somebody who looks on."""

    def say(self, sentence: str) -> None:
        """A step of the preparation or the end."""
        ...

    def watch(self, month: MonthFile, moment: DemoMoment) -> None:
        """What the work on a month is at."""
        ...

    def close(self, chapter: Chapter) -> None:
        """A month has its verdict."""
        ...


def cells(chapter: Chapter) -> tuple[str, ...]:
    """A month as cells of the table."""
    return (
        str(chapter.decision),
        chapter.month,
        f"{chapter.rows:,}",
        chapter.trigger,
        f"v{chapter.challenger} {_minutes(chapter.challenger_mae)}" if chapter.challenger else "-",
        f"{_seat(chapter)} {_minutes(chapter.seat_mae)}" if chapter.seat else "-",
        chapter.verdict,
        chapter.reason,
    )


def _seat(chapter: Chapter) -> str:
    """Who was challenged: `v3`, or the `median` of the training data while nobody sits there."""
    return chapter.seat.removeprefix("champion ").removeprefix("training ")


def plain_table(chapters: Sequence[Chapter]) -> Iterator[str]:
    """The table as aligned lines."""
    yield from align([TITLES, *(cells(c) for c in chapters)], _RIGHT)


@contextmanager
def display(months: int) -> Iterator[Display]:
    """The display that fits the place where the output goes."""
    if not on_terminal():
        yield _Lines()
        return
    from rich.live import Live

    live = _Living(months)
    with Live(get_renderable=live.picture, console=console(), refresh_per_second=8):
        yield live


class _Lines:
    """Off a terminal: nothing moves, and each line is whole."""

    def say(self, sentence: str) -> None:
        click.echo(sentence)

    def watch(self, month: MonthFile, moment: DemoMoment) -> None:
        """Nothing: only what has happened is told."""

    def close(self, chapter: Chapter) -> None:
        number, month, rows, trigger, challenger, seat, verdict, reason = cells(chapter)
        click.echo(
            f"{month}  {rows} rows  {trigger}  {challenger} against {seat}  "
            f"{verdict}: {reason} [decision {number}]"
        )


class _Living:
    """On a terminal: the table grows, and a line below says what is being done."""

    def __init__(self, months: int) -> None:
        self._months = months
        self._began = time.monotonic()
        self._chapters: list[Chapter] = []
        self._now = ""
        self._share: float | None = None

    def say(self, sentence: str) -> None:
        self._now, self._share = sentence, None

    def watch(self, month: MonthFile, moment: DemoMoment) -> None:
        run = moment.run
        if run is None:
            self._now, self._share = f"{month.name}: {month.rows:,} rows have arrived", None
            return
        doing = run_work(run.spec.kind).doing
        self._now, self._share = f"{month.name}: {run.id}, {doing}", run.progress
        if run.state is RunState.QUEUED:
            self._now, self._share = f"{month.name}: {run.id} is ordered", None

    def close(self, chapter: Chapter) -> None:
        self._chapters.append(chapter)

    def picture(self) -> Any:
        """Table, line and bar, as they are now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Table.grid(padding=(0, 1))
        share = len(self._chapters) + (self._share or 0.0) * 0.5
        line.add_row(
            ProgressBar(total=self._months, completed=share, width=30),
            Text(f"{time.monotonic() - self._began:4.0f} s"),
            Text(self._now, style="dim"),
        )
        return Group(rich_table(self._chapters), line) if self._chapters else line


def rich_table(chapters: Sequence[Chapter]) -> Any:
    """The table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    gap = 2 if console().width >= _ROOMY else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title, right in zip(TITLES, _RIGHT, strict=True):
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "REASON")
    for chapter in chapters:
        row: list[Any] = [Text(cell) for cell in cells(chapter)]
        row[6].stylize(_COLOUR.get(chapter.verdict, ""))
        table.add_row(*row)
    return table


def _minutes(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
