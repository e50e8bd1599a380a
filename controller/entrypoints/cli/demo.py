"""`incumbent demo`: a year of real flights through the real controller, on simulated dates."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.entrypoints.cli.output import style

if TYPE_CHECKING:
    from controller.entrypoints.demo.story import Chapter

HOME = Path(".incumbent/demo")


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=HOME,
    show_default=True,
    help="Where its state goes. What an earlier demonstration left there is removed.",
)
@click.option("--months", type=click.IntRange(1, 12), default=12, show_default=True)
@click.option(
    "--rollback",
    is_flag=True,
    help="Instead: promote a bad champion on purpose, and watch it being rolled back.",
)
def demo(home: Path, months: int, rollback: bool) -> None:
    """Play the year 2013: each month's flights arrive, a model trains, and must beat the champion.

    Controller, worker, broker and database are those of `incumbent up`; only the dates are simulated. Takes about two
    minutes, and ends by itself.
    """
    from controller.entrypoints.demo.chart import chart
    from controller.entrypoints.demo.display import display
    from controller.entrypoints.demo.play import stage
    from controller.entrypoints.demo.project import make_project, write_months

    # Told to end, it ends all that it started, as for Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    if rollback:
        _fall(home)
        return
    chapters: list[Chapter] = []
    project = make_project(home)
    with display(months) as shown:
        shown.say("Reading the 336,776 flights of 2013, and the weather.")
        year = list(write_months(project))
        shown.say("Starting controller, broker and worker.")
        with stage(project) as running:
            for month in year[:months]:
                chapter = running.play(month, shown.watch)
                chapters.append(chapter)
                shown.close(chapter)
            shown.say("Stopping.")
    picture = project.home / "champion.svg"
    picture.write_text(chart(chapters), encoding="utf-8")
    _sum_up(chapters, time.monotonic() - began)
    _point_on(home, picture, chapters)


def _fall(home: Path) -> None:
    """A bad champion on purpose."""
    from itertools import islice

    from controller.entrypoints.demo.fall import tell_story, watch_for_harm
    from controller.entrypoints.demo.play import stage
    from controller.entrypoints.demo.project import make_project, write_months

    began = time.monotonic()
    project = make_project(home)
    watch_for_harm(project)
    year = list(islice(write_months(project), 12))
    with stage(project) as running:
        tell_story(running, year, click.echo)
    click.echo(f"\n{time.monotonic() - began:.0f} s.")
    click.echo(style("Look further:", bold=True))
    command = f"INCUMBENT_HOME={home} {_myself()}"
    for words, why in (
        ("audit flight-delay", "who was champion when, and who undid it"),
        ("decisions --verdict rollback", "the decision; `explain` its number shows the figures"),
        ("release flight-delay --reason 'the unit is right again' --yes", "promotion goes on"),
        ("verify --all", "derive every decision again, byte for byte"),
    ):
        click.echo(f"  {command} {words}")
        click.echo(style(f"      {why}", dim=True))


def _sum_up(chapters: Sequence[Chapter], seconds: float) -> None:
    from controller.entrypoints.cli.output import on_terminal
    from controller.entrypoints.demo.display import plain_table

    if not on_terminal():
        click.echo("")
        for line in plain_table(chapters):
            click.echo(line)
    counts = {
        word: sum(c.verdict == word for c in chapters) for word in ("promote", "reject", "hold")
    }
    bare = sum(
        c.challenger_mae < c.seat_mae
        for c in chapters
        if c.challenger_mae is not None and c.seat_mae is not None
    )
    click.echo("")
    click.echo(
        f"{len(chapters)} months in {seconds:.0f} s: {counts['promote']} promoted, "
        f"{counts['reject']} rejected, {counts['hold']} held. "
        f"By the bare numbers {bare} would have been promoted."
    )
    click.echo(
        "CHALLENGER and CHAMPION: mean absolute errors in minutes on the same rows, the newest two weeks."
    )


def _point_on(home: Path, picture: Path, chapters: Sequence[Chapter]) -> None:
    """Commands to look further; each of them works as it stands."""
    command = f"INCUMBENT_HOME={home} {_myself()}"
    told = next((c for c in reversed(chapters) if c.verdict == "hold"), chapters[-1])
    click.echo("")
    click.echo(f"The champion's error over the year: {_relative(picture)}")
    click.echo(style("Look further:", bold=True))
    further = [
        ("status", "the champion, and what was decided last"),
        (
            f"explain {told.decision}",
            f"why {told.month} was a {told.verdict}: each rule with its values",
        ),
        ("versions flight-delay", "every model of the year"),
        ("verify --all", "derive every decision again, byte for byte"),
    ]
    if sum(c.verdict == "promote" for c in chapters) > 1:
        undo = "rollback flight-delay --force --reason 'try it' --yes"
        further.append((undo, "take the champion back to the one before"))
    for words, why in further:
        click.echo(f"  {command} {words}")
        click.echo(style(f"      {why}", dim=True))


def _myself() -> str:
    """How this command was called, in the shortest way that works from here."""
    found = shutil.which("incumbent")
    mine = Path(sys.argv[0])
    if found and mine.exists() and mine.samefile(found):
        return "incumbent"
    return str(_relative(mine)) if mine.name == "incumbent" else "incumbent"


def _relative(path: Path) -> Path:
    """The path as it is written from the working folder."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute
