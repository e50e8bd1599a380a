"""`incumbent notify`: what was told to whom, again, and whether the channels are right."""

from __future__ import annotations

from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound
from controller.entrypoints.cli.main import DefaultGroup
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_list,
    print_table,
    tell_person,
)
from controller.entrypoints.cli.session import CliSession, parse_when, pass_session
from controller.ports import Delivery, DeliveryQuery, DeliveryState


@click.group(cls=DefaultGroup)
def notify() -> None:
    """Messages to people and programs: the log, send again, check the channels, try one out."""


@notify.command(name="list")
@click.option("--channel", help="Only of this channel.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([s.value for s in DeliveryState]),
    help="Only in this state; may be repeated.",
)  # fmt: skip
@click.option("--since", help="Only from then on: 2013-02-01, 36h, 7d.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@pass_session
def list_messages(
    session: CliSession,
    *,
    channel: str | None,
    states: tuple[str, ...],
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, newest first: what left, what waits and why, what was silenced."""
    query = DeliveryQuery(
        channel=channel, states=states, since=parse_when(since, session.now()), limit=limit
    )
    with session.read() as tx:
        rows = [_row(kept) for kept in tx.deliveries.find(query)]
    if as_json:
        print_list(rows)
        return
    columns = [
        Column("ID", "id", right=True),
        Column("CHANNEL", "channel"),
        Column("TO", "address"),
        Column("STATE", "state"),
        Column("SINCE", "created_at"),
        Column("SENT", "sent_at"),
        Column("TRIES", "attempts", right=True),
        Column("SAYS", "says", fold=True),
        Column("WHY NOT", "last_error", fold=True),
    ]
    print_table(columns, rows, "No message yet.")


@notify.command("show")
@click.argument("number", type=click.IntRange(min=1))
@json_option
@pass_session
def show_message(session: CliSession, *, number: int, as_json: bool) -> None:
    """Show message NUMBER with all that it says."""
    with session.read() as tx:
        kept = tx.deliveries.get(number)
    if kept is None:
        raise NotFound(f"There is no message {number}.", hint="`incumbent notify` lists them.")
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **_row(kept)})
        return
    click.echo(f"message {kept.id} to {kept.channel} ({kept.address}): {kept.state.value}")
    if kept.last_error:
        click.echo(f"  {kept.last_error}")
    for one in kept.notices:
        times = f" ({one.times} times)" if one.times > 1 else ""
        click.echo(f"  {one.at:%Y-%m-%d %H:%M} {one.model} {one.event}: {one.sentence}{times}")
    left = kept.count - sum(one.times for one in kept.notices)
    if left:
        click.echo(f"  and {left:,} more")


@notify.command("again")
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def repeat_message(session: CliSession, number: int) -> None:
    """Send message NUMBER again, to the same address."""
    copy, address = _again(session, number)
    click.echo(f"Message {copy} says the same as {number} and leaves for {address} now.")


@notify.command("test")
@click.argument("channel")
@pass_session
def try_channel(session: CliSession, channel: str) -> None:
    """Try CHANNEL out: a notice that takes the way of all others."""
    if session.remote is not None:
        session.remote.try_channel(channel)
    else:
        from controller.bootstrap import notify_plan
        from controller.service.messages.again import known_channel, try_out

        known_channel(notify_plan(session.settings).channels, channel)
        with session.store.begin() as tx:
            session.person.must("notify", None)
            try_out(tx, channel, session.actor, session.now())
    click.echo(f"A test is on its way to {channel}; `incumbent notify` says whether it arrived.")


@notify.command("check")
@json_option
@pass_session
def check_channels(session: CliSession, *, as_json: bool) -> int:
    """Check the file of INCUMBENT_NOTIFY: channels, addresses, secrets, templates. Exit code 1 if one is wrong."""
    said = session.remote.channels() if session.remote is not None else _channels(session)
    channels, problems = said["channels"], said["problems"]
    if as_json:
        body = {"ok": not problems, "channels": channels, "problems": problems}
        print_json({"schema_version": SCHEMA_VERSION, **body})
    elif not said["configured"]:
        tell_person("INCUMBENT_NOTIFY names no file: messages are only logged.")
    else:
        for problem in problems:
            click.echo(problem)
        for name, labels in channels.items():
            click.echo(f"{name}: {', '.join(labels) or 'nobody'}")
    return 1 if problems else 0


def _channels(session: CliSession) -> dict[str, Any]:
    from controller.bootstrap import notify_plan

    plan = notify_plan(session.settings)
    return {
        "configured": plan.file is not None,
        "channels": {name: [one.label for one in them] for name, them in plan.senders.items()},
        "problems": [*plan.problems],
    }


def _again(session: CliSession, number: int) -> tuple[int, str]:
    """The number of the copy, and where it goes."""
    if session.remote is not None:
        copy = session.remote.send_again(number)
        return copy["id"], copy["address"]
    from controller.service.messages.again import must_handle, send_again

    with session.store.begin() as tx:
        held = tx.deliveries.get(number)
        if held is not None:
            must_handle(tx, session.person, held, session.parse_rules)
        kept = send_again(tx, number, session.now())
    return kept.id, kept.address


def _row(kept: Delivery) -> dict[str, Any]:
    row: dict[str, Any] = to_plain(kept)
    row.pop("key")
    row["created_at"], row["sent_at"] = kept.created_at, kept.sent_at
    first = kept.notices[0] if kept.notices else None
    more = f" (and {kept.count - 1:,} more)" if kept.count > 1 else ""
    row["says"] = f"{first.model} {first.event}: {first.sentence}{more}" if first else ""
    return row
