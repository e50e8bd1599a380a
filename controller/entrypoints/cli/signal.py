"""`incumbent signal`: ask for a training by hand, or tell of an event."""

from __future__ import annotations

import json
import math
import uuid
from typing import Any

import click

from controller.domain.errors import UserError
from controller.domain.signals import NewSignal, SignalKind
from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json, yes_option
from controller.entrypoints.cli.person_commands import await_answer, report_answer
from controller.entrypoints.cli.session import CliSession, known_model, parse_version, pass_session


class _Signals(click.Group):
    """`incumbent signal MODEL` asks for a training; `incumbent signal metric MODEL` tells a figure."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `ask` before words that name no other kind of signal."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Signals)
def signal() -> None:
    """Ask for a training (`incumbent signal MODEL`), or tell a figure from service."""


@signal.command()
@click.argument("model")
@click.option("--metric", "-m", required=True, help="Which one, as `rollback.when` names it.")
@click.option(
    "--value", required=True, type=float, help="The mean over the rows since the last figure."
)
@click.option("-n", "--rows", required=True, type=click.IntRange(min=1), help="How many rows.")
@click.option("--std", type=click.FloatRange(min=0), help="The standard deviation of one row.")
@click.option("--version", "-v", help="Of this version only; default: of the champion.")
@click.option("--key", default="", help="The same key twice is one figure.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for it.")
@json_option
@pass_session
def metric(
    session: CliSession,
    *,
    model: str,
    metric: str,
    value: float,
    rows: int,
    std: float | None,
    version: str | None,
    key: str,
    wait: float,
    as_json: bool,
) -> int:
    """Tell how the champion of MODEL does in service: one figure, over rows that no earlier figure had."""
    if not math.isfinite(value):
        raise UserError("A figure is a finite number.")
    payload: dict[str, Any] = {"metric": metric, "value": value, "n": rows}
    if std is not None:
        payload["std"] = std
    if version is not None:
        payload["version"] = parse_version(version)
    told = NewSignal(
        key=f"{session.actor}:{key or uuid.uuid4()}",
        model=model,
        kind=SignalKind.METRIC,
        occurred_at=session.now(),
        payload=payload,
        actor=session.actor,
    )
    with session.read() as tx:
        known_model(tx, model)
    return _sent(session, told, wait, as_json=as_json)


@signal.command("ask")
@click.argument("model")
@click.option("--reason", default="", help="Why, for the log.")
@click.option("--type", "event", help="Tell of an event of this type, for a webhook trigger.")
@click.option(
    "--payload",
    default="{}",
    help="What the event says, as a JSON object; it is kept below `data`.",
)
@click.option("--key", default="", help="The same key twice is one signal.")
@click.option("--dry-run", is_flag=True, help="Say what would be decided, and change nothing.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for it.")
@yes_option
@json_option
@pass_session
def ask_training(
    session: CliSession,
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
    said = _object(payload)
    told = NewSignal(
        key=f"{session.actor}:{key or uuid.uuid4()}",
        model=model,
        kind=SignalKind.WEBHOOK if event else SignalKind.MANUAL,
        occurred_at=session.now(),
        payload={
            "reason": reason,
            **({"type": event} if event else {}),
            **({"data": said} if said else {}),
        },
        actor=session.actor,
    )
    with session.read() as tx:
        known_model(tx, model)
    if dry_run:
        return _rehearse(session, told, as_json=as_json)
    return _sent(session, told, wait, as_json=as_json)


def _sent(session: CliSession, told: NewSignal, wait: float, *, as_json: bool) -> int:
    number, fresh = session.send(told)
    if not fresh:
        click.echo(f"Signal {number} has that key already; it counts once.", err=True)
    if wait:
        return report_answer(await_answer(session, told.model, number, wait), as_json=as_json)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "signal": number, "fresh": fresh})
    else:
        click.echo(f"Signal {number}: `incumbent signals show {number}` says what became of it.")
    return 0


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"--payload is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError("--payload is no JSON object.", hint='Write {"key": "value"}.')
    return value


def _rehearse(session: CliSession, told: NewSignal, *, as_json: bool) -> int:
    """What the engine would decide if the signal were there."""
    decision = session.rehearse(told)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "dry_run": True, **decision})
    else:
        click.echo(f"{decision['verdict'].upper()} (dry run, nothing was changed)")
        click.echo(decision["reason"])
    return 0
