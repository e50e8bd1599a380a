"""`incumbent hold` and `incumbent release`: let automatic promotion rest, and go on."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.entrypoints.cli.people import Word, needed_reason, speak, word_options
from controller.entrypoints.cli.session import Session, known_model, pass_session
from controller.service.words import Word as Said


@click.command()
@click.argument("model")
@word_options
@pass_session
def hold(
    session: Session, *, model: str, reason: str | None, wait: float, yes: bool, as_json: bool
) -> int:
    """Let automatic promotion of MODEL rest. It is still trained and judged."""
    why = needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
    plan = f"{model}: no challenger is promoted until `incumbent release {model}`."
    says = Said(right="hold", model=model, reason=why)
    return speak(session, Word(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json)


@click.command()
@click.argument("model")
@word_options
@pass_session
def release(
    session: Session, *, model: str, reason: str | None, wait: float, yes: bool, as_json: bool
) -> int:
    """End the hold of MODEL; a challenger that proved itself meanwhile is looked at again at once."""
    why = needed_reason(reason)
    with session.read() as tx:
        known_model(tx, model)
        held = tx.models.state(model).hold
    if held is None:
        raise Conflict(f"Automatic promotion of {model} is not on hold.")
    plan = f"{model}: automatic promotion goes on. It rested because: {held.reason}."
    says = Said(right="release", model=model, reason=why)
    return speak(session, Word(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json)
