"""`incumbent signal`: ask for a training by hand, or tell of an event."""

from __future__ import annotations

import json
import uuid
from typing import Any

import click

from controller.domain.errors import UserError
from controller.domain.signals import NewSignal, SignalKind
from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json, yes_option
from controller.entrypoints.cli.people import await_answer, report
from controller.entrypoints.cli.session import Session, known_model, pass_session


@click.command()
@click.argument("model")
@click.option("--reason", default="", help="Why, for the log.")
@click.option("--type", "event", help="Tell of an event of this type, for a webhook trigger.")
@click.option("--payload", default="{}", help="What the event says, as a JSON object.")
@click.option("--key", default="", help="The same key twice is one signal.")
@click.option("--dry-run", is_flag=True, help="Say what would be decided, and change nothing.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for it.")
@yes_option
@json_option
@pass_session
def signal(
    session: Session,
    *,
    model: str,
    reason: str,
    event: str | None,
    payload: str,
    key: str,
    dry_run: bool,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """Ask for a training of MODEL; the policy's limits still hold."""
    del yes  # it asks for nothing that could do harm
    told = NewSignal(
        key=f"{session.actor}:{key or uuid.uuid4()}",
        model=model,
        kind=SignalKind.WEBHOOK if event else SignalKind.MANUAL,
        occurred_at=session.now(),
        payload={**_object(payload), "reason": reason, **({"type": event} if event else {})},
        actor=session.actor,
    )
    with session.read() as tx:
        known_model(tx, model)
    if dry_run:
        return _rehearse(session, told, as_json=as_json)
    number, fresh = session.send(told)
    if not fresh:
        click.echo(f"Signal {number} has that key already; it counts once.", err=True)
    if wait:
        return report(await_answer(session, model, number, wait), as_json=as_json)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "signal": number, "fresh": fresh})
    else:
        click.echo(f"Signal {number}: `incumbent signals show {number}` says what became of it.")
    return 0


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UserError(f"--payload is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError("--payload is no JSON object.", hint='Write {"key": "value"}.')
    return value


def _rehearse(session: Session, told: NewSignal, *, as_json: bool) -> int:
    """What the engine would decide if the signal were there."""
    decision = session.rehearse(told)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "dry_run": True, **decision})
    else:
        click.echo(f"{decision['verdict'].upper()} (dry run, nothing was changed)")
        click.echo(decision["reason"])
    return 0
