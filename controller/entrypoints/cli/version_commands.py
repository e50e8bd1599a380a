"""`incumbent alias`, `deprecate`, `archive`, `revive`, `tag`, `describe`: a person's word about one version."""

from __future__ import annotations

from collections.abc import Callable

import click

from controller.domain.canonical import to_plain
from controller.domain.errors import NotFound, UserError
from controller.domain.use import check_alias
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    version_name,
)
from controller.entrypoints.cli.person_commands import (
    PersonCommand,
    needed_reason,
    submit_command,
    word_options,
)
from controller.entrypoints.cli.session import (
    CliSession,
    known_model,
    parse_version,
    parse_when,
    pass_session,
)
from controller.service.commands.submit import Command


@click.command()
@click.argument("model")
@click.argument("name", required=False)
@click.argument("version", required=False)
@click.option("--remove", is_flag=True, help="Take the alias away.")
@click.option("--history", is_flag=True, help="Every move, oldest first.")
@word_options
@pass_session
def alias(
    session: CliSession,
    *,
    model: str,
    name: str | None,
    version: str | None,
    remove: bool,
    history: bool,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
) -> int:
    """List the aliases of MODEL, or point NAME at VERSION. The champion moves by promotion and rollback only."""
    with session.read() as tx:
        known_model(tx, model)
        seen = tx.aliases.get(model, name) if name else None
    if name is None or history:
        return _listed(session, model, name, history=history, as_json=as_json)
    if remove == (version is not None):
        raise UserError("Name a version, or say --remove.")
    number = None if version is None else parse_version(version)
    previous = seen.version if seen else None
    plan = f"{model}@{name}: {version_name(previous)} -> {version_name(number)}."
    payload = {"alias": check_alias(name), "version": number, "expect_version": previous}
    says = Command(action="alias", model=model, reason=needed_reason(reason), payload=payload)
    return submit_command(
        session, PersonCommand(says=says, plan=plan, yes=yes, wait=wait), as_json=as_json
    )


def _listed(
    session: CliSession, model: str, name: str | None, *, history: bool, as_json: bool
) -> int:
    with session.read() as tx:
        found = tx.aliases.moves(model, name) if history else tx.aliases.of(model)
        champion = tx.aliases.resolve(model, "champion")
    rows = [to_plain(one) for one in found]
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "model": model, "aliases": rows})
        return 0
    if champion is not None and not history:
        seat = {"name": "champion", "version": champion.version.number}
        moved = to_plain(champion.version.promoted_at)
        rows = [{**seat, "generation": champion.generation, "at": moved}, *rows]
    cells = [
        {
            **row,
            "points": version_name(row["version"]),
            "when": str(row["at"])[:16].replace("T", " "),
        }
        for row in rows
    ]
    print_table(_HISTORY if history else _COLUMNS, cells, f"{model} has no alias.")
    return 0


_COLUMNS = (
    Column("ALIAS", "name"),
    Column("VERSION", "points"),
    Column("GENERATION", "generation", right=True),
    Column("SINCE (UTC)", "when"),
)
_HISTORY = (
    *_COLUMNS,
    Column("BY", "actor"),
    Column("DECISION", "decision", right=True),
    Column("REASON", "reason", fold=True),
)


def _command(name: str, plan: str, text: str, *, dated: bool = False) -> click.Command:
    @click.argument("model")
    @click.argument("version")
    @word_options
    @pass_session
    def command(
        session: CliSession,
        *,
        model: str,
        version: str,
        reason: str | None,
        wait: float,
        yes: bool,
        as_json: bool,
        sunset: str | None = None,
        firm: bool = False,
    ) -> int:
        number, why = parse_version(version), needed_reason(reason)
        with session.read() as tx:
            known_model(tx, model)
            if not tx.registry.versions(model, numbers=(number,)):
                raise NotFound(f"{model} has no version {number}.")
        payload: dict[str, object] = {"version": number}
        if sunset is not None:
            payload["sunset"] = to_plain(parse_when(sunset, session.now()))
        if firm:
            payload["firm"] = True
        said = plan.format(name=f"{model} v{number}")
        says = Command(
            action="restore" if name == "revive" else name, model=model, reason=why, payload=payload
        )
        return submit_command(
            session, PersonCommand(says=says, plan=said, yes=yes, wait=wait), as_json=as_json
        )

    wrapped: Callable[..., int] = command
    if dated:
        wrapped = click.option("--sunset", help="From when it may be gone: 2013-09-01.")(wrapped)
        wrapped = click.option(
            "--firm", is_flag=True, help="Nobody's lease goes beyond that date."
        )(wrapped)
    return click.command(name, help=text)(wrapped)


deprecate = _command(
    "deprecate",
    "{name} gets a date by which its consumers have to move; it is served as long as one needs it.",
    "Deprecate VERSION of MODEL: set a date and tell its consumers.",
    dated=True,
)
archive = _command(
    "archive",
    "{name} is served no more.",
    "Archive VERSION of MODEL, if nobody needs it. Its artifact stays until `incumbent retention`.",
)
revive = _command(
    "revive",
    "{name} goes one step back: archived to deprecated, deprecated to superseded.",
    "Bring VERSION of MODEL back, as long as its artifact is there.",
)


@click.command()
@click.argument("name")
@click.argument("tags", nargs=-1)
@click.option("--remove", multiple=True, help="Take this tag away.")
@json_option
@pass_session
def tag(
    session: CliSession, name: str, tags: tuple[str, ...], remove: tuple[str, ...], as_json: bool
) -> None:
    """Show the tags of NAME (MODEL or MODEL@VERSION), or set some: team=fraud."""
    from controller.service.explain.notes import set_tags, show_tags

    model, number = _subject(session, name)
    if tags or remove:
        set_tags(session.store, (model, number), tags, remove, session.actor, session.now())
    with session.read() as tx:
        found = show_tags(tx, model, number)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "model": model,
                "version": number or None,
                "tags": found,
            }
        )
        return
    for key, value in found.items():
        click.echo(f"{key}={value}")


@click.command()
@click.argument("name")
@click.argument("text", required=False)
@json_option
@pass_session
def describe(session: CliSession, name: str, text: str | None, as_json: bool) -> None:
    """Show the description of NAME (MODEL or MODEL@VERSION), or set it to TEXT; an empty one takes it away."""
    from controller.service.explain.notes import set_description

    model, number = _subject(session, name)
    if text is not None:
        set_description(session.store, (model, number), text, session.actor, session.now())
    with session.read() as tx:
        found = tx.notes.descriptions(model, (number,)).get(number, "")
    if as_json:
        body = {"model": model, "version": number or None, "description": found}
        print_json({"schema_version": SCHEMA_VERSION, **body})
    elif found:
        click.echo(found)


def _subject(session: CliSession, name: str) -> tuple[str, int]:
    """Model and version (0: the model itself); an alias is followed to its version."""
    model, sign, selector = name.partition("@")
    with session.read() as tx:
        known_model(tx, model)
        if not sign:
            return model, 0
        found = tx.aliases.resolve(model, selector)
    if found is None:
        raise NotFound(f"{model} has nothing called {selector}.")
    return model, found.version.number
