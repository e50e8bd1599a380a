"""`incumbent hold` and `incumbent release`: put automatic promotion on hold, and release it."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import CliSession, known_model, parse_version, pass_session
from controller.service.commands.submit import Command

_version = click.option("--version", "-v", help="Only this version: it is not archived meanwhile.")


@click.command()
@click.argument("model")
@_version
@word_options
@pass_session
def hold(
    session: CliSession,
    *,
    model: str,
    version: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Put automatic promotion of MODEL on hold. Challengers are still trained and evaluated.

    With --version promotion goes on: that version is kept, and neither archived nor removed.
    """
    why, payload = needed_reason(reason), dict[str, object]()
    with session.read() as tx:
        known_model(tx, model)
    plan = f"{model}: no challenger is promoted until `incumbent release {model}`."
    if version is not None:
        payload["version"] = parse_version(version)
        plan = f"{model} v{payload['version']} is not archived until it is released."
    says = Command(action="hold", model=model, reason=why, payload=payload)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


@click.command()
@click.argument("model")
@_version
@word_options
@pass_session
def release(
    session: CliSession,
    *,
    model: str,
    version: str | None,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """End the hold of MODEL; a challenger that proved itself meanwhile is judged again at once."""
    why, payload = needed_reason(reason), dict[str, object]()
    with session.read() as tx:
        known_model(tx, model)
        held, keeps = tx.models.state(model).hold, tx.keeps.of(model)
    if version is not None:
        number = payload["version"] = parse_version(version)
        kept = next((keep for keep in keeps if keep.version == number), None)
        if kept is None:
            raise Conflict(f"{model} v{number} is not on hold.")
        plan = f"{model} v{number} may be archived again. It was kept because: {kept.reason}."
    elif held is None:
        raise Conflict(f"Automatic promotion of {model} is not on hold.")
    else:
        plan = f"{model}: automatic promotion goes on. It was on hold because: {held.reason}."
    says = Command(action="release", model=model, reason=why, payload=payload)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )
