"""`incumbent runs`: the work that was ordered, and how it went."""

from __future__ import annotations

import sys
from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import Conflict, NotFound, UserError
from controller.domain.runs import Run, RunKind, RunState
from controller.entrypoints.cli.listing import ChoiceOption, list_options, query_of
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
)
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.service.commands.submit import Command


@click.group(cls=DefaultGroup)
def runs() -> None:
    """Show, cancel and repeat trainings and evaluations."""


@runs.command(name="list")
@list_options(
    ChoiceOption("--state", "states", RunState, "those in this state"),
    ChoiceOption("--kind", "kinds", RunKind, "those of this kind"),
    since="those ordered",
)
@pass_session
def list_runs(session: CliSession, /, as_json: bool, **filters: Any) -> None:
    """List runs, newest first."""
    with session.read() as tx:
        found = [run_document(run) for run in tx.runs.find(query_of(session, tx, filters))]
    if as_json:
        print_list(found)
        return
    print_table(_COLUMNS, [_cells(row) for row in found], "There is no such run.")


@runs.command("show")
@click.argument("name")
@json_option
@pass_session
def show_run(session: CliSession, *, name: str, as_json: bool) -> None:
    """Show one run with all that was recorded about it."""
    found = run_document(run_named(session, name))
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **found})
        return
    for line in _lines(found):
        click.echo(line)


@runs.command("logs")
@click.argument("name")
@pass_session
def run_logs(session: CliSession, *, name: str) -> None:
    """Print what a run's training wrote to its output."""
    run = run_named(session, name)
    sys.stdout.buffer.write(session.output(run))


@runs.command()
@click.argument("name")
@word_options
@pass_session
def cancel(
    session: CliSession, *, name: str, reason: str | None, wait: float, yes: bool, as_json: bool
) -> int:
    """Stop a run. Its worker ends the training at its next heartbeat."""
    why, run = needed_reason(reason), run_named(session, name)
    if run.state.ended:
        raise Conflict(f"{name} cannot be cancelled: it is {run.state.value}.")
    word = PersonCommand(
        says=Command(action="cancel", model=run.model, run=name, reason=why),
        plan=f"{name} ({run.spec.kind.value}, {run.state.value}) is stopped.",
        yes=yes,
        wait=wait,
    )
    return submit_command(session, word, as_json=as_json)


@runs.command()
@click.argument("name")
@word_options
@pass_session
def retry(
    session: CliSession, *, name: str, reason: str | None, wait: float, yes: bool, as_json: bool
) -> int:
    """Ask for a training like the one of run NAME, on the data that are there now."""
    why, run = needed_reason(reason), run_named(session, name)
    if run.spec.kind is not RunKind.TRAIN:
        raise UserError(
            f"{name} is no training.", hint="An evaluation is ordered with the training before it."
        )
    if not run.state.ended:
        raise Conflict(f"{name} has not ended: it is {run.state.value}.")
    word = PersonCommand(
        says=Command(action="retry", model=run.model, run=name, reason=why),
        plan=f"{run.model}: a training is asked for, as {name} was. The policy's limits hold.",
        yes=yes,
        wait=wait,
    )
    return submit_command(session, word, as_json=as_json)


def run_named(session: CliSession, name: str) -> Run:
    """The run of that name; NotFound otherwise."""
    with session.read() as tx:
        run = tx.runs.get(name)
    if run is None:
        raise NotFound(
            f"There is no run called {name}.", hint="`incumbent runs` lists them, as MODEL.rNUMBER."
        )
    return run


def run_document(run: Run) -> dict[str, Any]:
    """A run as JSON: its order, its state and its result."""
    found: dict[str, Any] = to_plain(run)
    spec = found.pop("spec")
    return {**found, "kind": spec["kind"], "spec": spec}


_COLUMNS = (
    Column("RUN", "id"),
    Column("KIND", "kind"),
    Column("STATE", "state", style="bold"),
    Column("ORDERED (UTC)", "ordered"),
    Column("TRY", "attempt", right=True),
    Column("DONE", "share", right=True),
    Column("BECAUSE OF", "causes"),
    Column("REASON", "reason", fold=True),
)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    progress = row["progress"]
    return {
        **row,
        "ordered": row["ordered_at"][:16].replace("T", " "),
        "share": f"{progress:.0%}" if progress is not None and row["state"] == "running" else "",
        "causes": ", ".join(cause["trigger"] for cause in row["spec"]["causes"]),
    }


def _lines(found: dict[str, Any]) -> list[str]:
    spec = found["spec"]
    said = {
        "run": f"{found['id']} ({found['kind']}, {found['state']})",
        "reason": found["reason"],
        "ordered": f"{found['ordered_at']} by decision {found['decision']}",
        "because of": "; ".join(f"{c['trigger']}: {c['sentence']}" for c in spec["causes"]),
        "worker": found["worker"],
        "attempt": f"{found['attempt']} (fence {found['fence']})",
        "started": found["started_at"],
        "ended": found["ended_at"],
        "recipe": f"{spec['recipe']}: {spec['entrypoint'] or spec['command']}",
        "parameters": spec["params"] or None,
        "seed": spec["seed"],
        "data": f"batches up to {spec['data_through']} of {spec['data']['source']}",
        **{key: value for key, value in found["result"].items() if key != "evaluation"},
    }
    return [
        f"{key:<12} {value}" for key, value in said.items() if value is not None and value != ""
    ]
