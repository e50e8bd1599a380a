"""`incumbent hold` and `incumbent release`: let automatic promotion rest, and go on."""

from __future__ import annotations

import click

from controller.domain.errors import Conflict
from controller.domain.signals import SignalKind
from controller.entrypoints.cli.people import Word, needed_reason, speak, word_options
from controller.entrypoints.cli.session import Session, known_model, pass_session


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
    word = Word(
        model=model, kind=SignalKind.HOLD, plan=plan, payload={"reason": why}, yes=yes, wait=wait
    )
    return speak(session, word, as_json=as_json)


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
    word = Word(
        model=model, kind=SignalKind.RELEASE, plan=plan, payload={"reason": why}, yes=yes, wait=wait
    )
    return speak(session, word, as_json=as_json)
