"""`incumbent api` and `incumbent page`: the page and the API, and the way in."""

from __future__ import annotations

from pathlib import Path

import click

from controller.entrypoints.cli.output import tell_person
from controller.entrypoints.cli.session import CliSession, local_actor, pass_session


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of the state."
)
@click.option("--host", help="Address to listen on. Default: INCUMBENT_HOST or 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port. Default: INCUMBENT_PORT or 8321."
)
def api(home: Path | None, host: str | None, port: int | None) -> None:
    """Serve the page and the API, until Ctrl-C. The controller may run elsewhere."""
    from contextlib import ExitStack

    from controller.bootstrap import open_store
    from controller.entrypoints.api.serve import Server
    from controller.entrypoints.cli.daemon import StopEvent
    from controller.home import prepare_home
    from controller.logs import configure_logging
    from controller.settings import load_settings

    settings = load_settings(home=home, host=host, port=port)
    configure_logging(settings)
    prepare_home(settings.home, settings.home_access)
    stop = StopEvent(settings.parent)
    with ExitStack() as stack:
        store = open_store(settings, create=True)
        stack.callback(store.close)
        server = stack.enter_context(Server(settings, store))
        tell_person(server.welcome(local_actor(settings)))
        stop.wait()
    tell_person("stopped.")


@click.command()
@pass_session
def page(session: CliSession) -> None:
    """Print a link that logs you in once at the page of this machine, good for fifteen minutes."""
    from controller.entrypoints.api.serve import login_link

    click.echo(login_link(session.settings, session.actor))
