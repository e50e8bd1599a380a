"""`incumbent promote`: promote a version by hand."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.entrypoints.cli.output import version_name
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    key_option,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, parse_version, pass_session
from controller.service.commands.submit import Command


@click.command()
@click.argument("model")
@click.argument("version")
@click.option("--expect-version", help="Only if this one is the champion now; 0: only if none is.")
@key_option
@word_options
@pass_session
def promote(
    session: CliSession,
    *,
    model: str,
    version: str,
    expect_version: str | None,
    key: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Promote VERSION of MODEL by hand, whatever its gates said. Recorded with your name."""
    number, why = parse_version(version), needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
        champion = tx.models.state(model).champion
    # Of what is said again, nothing is expected that nobody said.
    shown = None if key else champion
    seen = shown if expect_version is None else parse_version(expect_version)
    if seen == 0 and champion is not None:
        raise Conflict(f"{model} has a champion already: v{champion}.")
    plan = (
        f"{model}: v{number} replaces {version_name(champion)} as champion, by hand."
        if champion
        else f"{model}: v{number} becomes the first champion, by hand."
    )
    says = Command(
        action="promote",
        model=model,
        version=number,
        reason=why,
        expect_version=seen or None,
        key=key,
    )
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )
