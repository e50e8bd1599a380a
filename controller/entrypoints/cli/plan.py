"""`incumbent plan`: what a change of rules would have decided, from the recorded history."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.domain.errors import NotFound, UserError
from controller.entrypoints.cli.listing import since_option
from controller.entrypoints.cli.output import console, on_terminal, tell_person
from controller.entrypoints.cli.session import CliSession, known_model, parse_when, pass_session

if TYPE_CHECKING:
    from controller.adapters.git.texts import RepositoryRules
    from controller.ports import RuleText, Transaction
    from controller.service.replay.plan import PlanReport, Sides

_TELL_FROM = 10_000
"""Records from which a log without a terminal is told how far the work is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    base: str | None
    head: str | None
    rules: Path


@click.command()
@click.argument("base", required=False)
@click.option("--head", metavar="REV", help="A revision instead of the working tree.")
@click.option("--model", "-m", help="Only this model.")
@since_option("decisions")
@click.option(
    "--rules", type=click.Path(path_type=Path), help="The folder of the rules. Default: setting."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--recompute",
    is_flag=True,
    help="Compute evidence that changed gates ask for from the stored predictions, here.",
)
@click.option("--fail-on-change", is_flag=True, help="Exit code 1 if a decision changes.")
@pass_session
def plan(
    session: CliSession,
    *,
    base: str | None,
    head: str | None,
    model: str | None,
    since: str | None,
    rules: Path | None,
    form: str,
    as_json: bool,
    recompute: bool,
    fail_on_change: bool,
) -> int:
    """Show which recorded decisions a change of rules flips, and why.

    Compares the working tree (or --head) with BASE: a git revision; without one the rules in force, and where
    there are none git's HEAD. Exit code 0; with --fail-on-change 1 if a decision changes.
    """
    from controller.service.replay.plan import make_plan

    measure = None
    if recompute:
        from controller.entrypoints.cli.verify_evidence import evidence_from_predictions

        measure = evidence_from_predictions(session)
    wanted = _Wanted(base=base, head=head, rules=rules or Path(session.settings.rules))
    with session.read() as tx:
        sides = _sides(tx, wanted)
        with _progress() as progress:
            found = make_plan(
                tx,
                sides,
                session.parse_rules,
                model=model,
                since=parse_when(since, session.now()),
                progress=progress,
                measure=measure,
            )
        if model is not None and not found.models:
            known_model(tx, model)
    click.echo(_render(found, "json" if as_json else form))
    return 1 if fail_on_change and found.flips else 0


def _render(found: PlanReport, form: str) -> str:
    if form == "json":
        from controller.entrypoints.cli.plan_json import plan_as_json as render
    elif form == "markdown":
        from controller.entrypoints.cli.plan_markdown import plan_as_markdown as render
    else:
        from controller.entrypoints.cli.plan_text import plan_as_text as render
    return render(found)


def _sides(tx: Transaction, wanted: _Wanted) -> Sides:
    from controller.adapters.git.texts import RepositoryRules
    from controller.service.replay.plan import Sides

    there = RepositoryRules(wanted.rules)
    if wanted.head is None and not wanted.rules.is_dir():
        raise NotFound(f"There is no folder {wanted.rules}.", hint="Name the rules with --rules.")
    head = there.here() if wanted.head is None else there.at(wanted.head)
    base, name = _base(tx, there, wanted)
    if not base and not head:
        raise NotFound(f"There is no policy in {wanted.rules}, and none in {name}.")
    return Sides(base=base, head=head, base_name=name, head_name=wanted.head or "the working tree")


def _base(tx: Transaction, there: RepositoryRules, wanted: _Wanted) -> tuple[list[RuleText], str]:
    from controller.ports import RuleText

    if wanted.base is not None:
        return there.at(wanted.base), wanted.base
    active = tx.rules.all_active()
    if active:
        texts = [RuleText(path=a.ref.path, text=a.text, blob=a.ref.blob) for a in active]
        return texts, "the rules in force"
    if not there.knows("HEAD"):
        raise UserError(
            "There is nothing to compare with: no rules are in force and this is no git repository.",
            hint="Start with `incumbent up`, or name a revision.",
        )
    return there.at("HEAD"), "HEAD"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where a person looks; a line at each tenth of a long log elsewhere."""
    if not on_terminal(stderr=True):
        yield _told_by_tenths()
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bars:
        task = bars.add_task("Deciding again", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _told_by_tenths() -> Callable[[int, int], None]:
    told = 0

    def heard(done: int, total: int) -> None:
        nonlocal told
        tenth = done * 10 // max(total, 1)
        if total >= _TELL_FROM and tenth > told:
            told = tenth
            tell_person(f"Decided {done:,} of {total:,} again.")

    return heard
