"""`incumbent resolve` and `incumbent consumers`: what a name stands for, and who uses it."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from controller.domain.canonical import to_plain
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    tell_person,
)
from controller.entrypoints.cli.session import CliSession, known_model, pass_session

if TYPE_CHECKING:
    from controller.adapters.remote.client import Client


@click.command("resolve")
@click.argument("name")
@click.option(
    "--consumer", help="Who asks. It takes a lease on the version, which each resolve renews."
)
@click.option("--lease", default="1d", show_default=True, help="How long: 1h, 7d.")
@json_option
@pass_session
def resolve_command(
    session: CliSession, name: str, consumer: str | None, lease: str, as_json: bool
) -> None:
    """Say what NAME stands for: MODEL (its champion), MODEL@ALIAS or MODEL@VERSION."""
    from controller.service.registry.use import ResolveRequest, parse_selector, resolve_name

    model, selector = parse_selector(name)
    if session.remote is not None:
        _from_afar(session.remote, model, selector, (consumer, parse_span(lease)), as_json=as_json)
        return
    ask = ResolveRequest(
        model=model,
        selector=selector,
        consumer=consumer,
        actor=session.actor,
        lease=parse_span(lease),
    )
    answer = resolve_name(session.store, ask, session.now())
    if answer.warning:
        tell_person(f"Warning: {answer.warning}")
    found = answer.resolved.version
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **answer.document()})
    else:
        click.echo(f"{model} v{found.number} ({found.state.value}) {found.digest}")


def _from_afar(
    remote: Client,
    model: str,
    selector: str,
    lease: tuple[str | None, timedelta],
    *,
    as_json: bool,
) -> None:
    consumer, lasts = lease
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is told on stderr instead
        found = remote.resolve(model, selector, consumer=consumer, lease=lasts.total_seconds())
    if found["warning"]:
        tell_person(f"Warning: {found['warning']}")
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **found})
    else:
        click.echo(f"{model} v{found['version']} ({found['state']}) {found['digest']}")


@click.command()
@click.argument("model")
@click.option("--all", "everything", is_flag=True, help="Those whose lease ran out, too.")
@click.option("--release", help="This consumer is gone: end its leases now.")
@json_option
@pass_session
def consumers(
    session: CliSession, model: str, everything: bool, release: str | None, as_json: bool
) -> None:
    """List who uses which version of MODEL, until when, and who keeps a version from leaving."""
    from controller.service.registry.use import consumer_rows, needs_of
    from controller.service.registry.use import release_consumer as end

    now = session.now()
    with session.read() as tx:
        known_model(tx, model)
    if release is not None:
        ended = end(session.store, model, release, now)
        tell_person(f"{ended} of {release}'s leases on {model} ended.")
    with session.read() as tx:
        leases = tx.consumers.of(model, live_at=None if everything else now)
        numbers = {lease.version for lease in leases}
        states = {v.number: v.state for v in tx.registry.versions(model, numbers=numbers)}
        rows = consumer_rows(leases, states, now)
        needed = needs_of(tx, model, now)
        kept = {number: needs.phrases() for number, needs in needed.items()}
        left = tx.registry.versions(model, numbers=set(kept)) if kept else []
    leaving = {v.number: v for v in left if v.state.value == "deprecated"}
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "model": model,
                "consumers": rows,
                "needed": {str(number): phrases for number, phrases in kept.items()},
            }
        )
        return
    print_table(_COLUMNS, [_cells(row) for row in rows], f"Nobody uses {model} by name.")
    for number in sorted(leaving):
        end_ = leaving[number].sunset
        date = f" (sunset {end_:%Y-%m-%d})" if end_ else ""
        click.echo(f"v{number} is deprecated{date} and stays, needed by {', '.join(kept[number])}.")


_COLUMNS = (
    Column("CONSUMER", "name"),
    Column("VERSION", "version_name"),
    Column("STATE", "state"),
    Column("ASKED FOR", "asked"),
    Column("SEEN (UTC)", "seen"),
    Column("UNTIL (UTC)", "ends"),
    Column("RESOLVES", "resolves", right=True),
    Column("DOWNLOADS", "downloads", right=True),
    Column("", "note"),
)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    note = "blocks archiving" if row["blocks"] else "" if row["live"] else "ran out"
    return {
        **row,
        "version_name": f"v{row['version']}",
        "asked": "this version" if row["pinned"] else row["selector"],
        "seen": _minute(row["seen_at"]),
        "ends": _minute(row["until"]),
        "note": note,
    }


def _minute(moment: datetime | str) -> str:
    return str(to_plain(moment))[:16].replace("T", " ")


def parse_span(text: str) -> timedelta:
    """`7d` or `36h`; UserError otherwise."""
    from datetime import UTC

    from controller.domain.errors import UserError
    from controller.entrypoints.cli.session import parse_when

    zero = datetime(2000, 1, 1, tzinfo=UTC)
    if not text.strip()[:1].isdecimal() or "-" in text:
        raise UserError(f"{text!r} is no length of time.", hint="Write 36h or 7d.")
    return zero - (parse_when(text, zero) or zero)
