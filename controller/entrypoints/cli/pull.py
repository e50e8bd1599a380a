"""`incumbent pull`: a version's artifact as a file, verified, and going on where it was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from controller.entrypoints.cli.output import SCHEMA_VERSION, json_option, print_json, tell_person
from controller.entrypoints.cli.session import CliSession, pass_session


@click.command()
@click.argument("name")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="The file. Default: MODEL-vN."
)
@click.option("--consumer", help="Who downloads. It is recorded, and takes a lease.")
@json_option
@pass_session
def pull(
    session: CliSession, name: str, target: Path | None, consumer: str | None, as_json: bool
) -> None:
    """Download MODEL, MODEL@ALIAS or MODEL@VERSION. Nothing is loaded; the bytes are those of the registry's digest."""
    from controller.service.registry.pull import pull_artifact
    from controller.service.registry.use import parse_selector

    model, selector = parse_selector(name)
    found = _resolved(session, model, selector, consumer)
    number, digest = int(found["version"]), str(found["digest"])
    if found["warning"]:
        tell_person(f"Warning: {found['warning']}")

    def read(offset: int) -> Iterator[bytes]:
        if session.remote is not None:
            return session.remote.artifact(model, number, offset, consumer=consumer)
        return session.artifacts.stream(digest, offset)

    size = int(found["size"]) if session.remote is not None else session.artifacts.size(digest)
    place = target or Path(f"{model}-v{number}")
    came = pull_artifact(digest, size, read, place)
    if as_json:
        body = {"model": model, "version": number, "file": str(place), "bytes": size, "came": came}
        print_json({"schema_version": SCHEMA_VERSION, **body, "digest": digest})
    else:
        click.echo(
            f"{model} v{number}: {place}, {size:,} bytes, {came:,} of them came now, {digest}"
        )


def _resolved(
    session: CliSession, model: str, selector: str, consumer: str | None
) -> dict[str, Any]:
    if session.remote is not None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is told on stderr instead
            return session.remote.resolve(model, selector)
    from controller.service.registry.use import ResolveRequest, resolve_name

    ask = ResolveRequest(
        model=model,
        selector=selector,
        consumer=consumer,
        actor=session.actor,
        download=consumer is not None,
    )
    return resolve_name(session.store, ask, session.now()).document()
