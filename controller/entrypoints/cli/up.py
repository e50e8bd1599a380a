"""`incumbent up`, `incumbent controller` and `incumbent worker`: the running system."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.domain.errors import Unavailable, UserError
from controller.entrypoints.cli.output import tell_person

if TYPE_CHECKING:
    from controller.entrypoints.cli.daemon import RunningController
    from controller.settings import Settings


def _home(command: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of database, artifacts and broker. Default: INCUMBENT_HOME or .incumbent.",
    )(command)


def _rules(command: click.decorators.FC) -> click.decorators.FC:
    return click.option("--rules", help="Folder or repository of policies.")(command)


@click.command()
@_home
@_rules
@click.option("--no-worker", is_flag=True, help="Run no worker here.")
@click.option(
    "--page/--no-page", default=None, help="Serve the page. Default: where its extra is installed."
)
@click.option("--port", type=click.IntRange(0, 65535), help="The page's port; 0: any.")
def up(
    home: Path | None, rules: str | None, no_worker: bool, page: bool | None, port: int | None
) -> None:
    """Run controller, worker and broker as one tree, until Ctrl-C."""
    from controller.entrypoints.cli.daemon import StopEvent, running_controller
    from controller.entrypoints.supervise import Supervised
    from controller.home import prepare_home
    from controller.logs import configure_logging
    from controller.settings import load_settings

    began = time.monotonic()
    settings = load_settings(home=home, rules=rules, port=port)
    configure_logging(settings)
    prepare_home(settings.home, settings.home_access)
    stop = StopEvent(settings.parent)
    with running_controller(settings) as running, _page(settings, page, running) as welcome:
        worker = None
        if not no_worker:
            environment = {**os.environ, **settings.environment()}
            command = [sys.executable, "-m", "workers"]
            worker = Supervised("worker", command, environment, settings.grace + 5)
            worker.start()
        tell_person(
            f"incumbent is up after {time.monotonic() - began:.1f} s: rules in {settings.rules}, "
            f"state in {settings.home}. Ctrl-C ends it."
        )
        if welcome:
            tell_person(welcome)
        try:
            stop.wait()
        finally:
            tell_person("stopping; what is under way goes on at the next start.")
            if worker is not None:
                worker.stop()
    tell_person("stopped.")


@contextmanager
def _page(settings: Settings, wanted: bool | None, running: RunningController) -> Iterator[str]:
    """The page beside the controller; yields where it is, empty if there is none."""
    from importlib.util import find_spec

    there = all(find_spec(name) for name in ("fastapi", "uvicorn", "jinja2", "nh3"))
    if wanted is False or (wanted is None and not there):
        yield ""
        return
    if not there:
        raise UserError("The page needs the extra `api`.", hint="pip install 'incumbent[api]'")
    from controller.bootstrap import open_store
    from controller.entrypoints.api.serve import Server
    from controller.entrypoints.cli.session import local_actor

    with ExitStack() as stack:
        store = open_store(settings)
        stack.callback(store.close)
        try:
            server = stack.enter_context(Server(settings, store, observer=running.observer))
        except Unavailable as error:
            if wanted:
                raise
            tell_person(error.sentence())
            yield ""
            return
        yield server.welcome(local_actor(settings))


@click.command("controller")
@_home
@_rules
def controller_command(home: Path | None, rules: str | None) -> None:
    """Run a controller without a worker, until SIGTERM."""
    from controller.entrypoints.cli.daemon import StopEvent, running_controller
    from controller.home import prepare_home
    from controller.logs import configure_logging
    from controller.settings import load_settings

    settings = load_settings(home=home, rules=rules)
    configure_logging(settings)
    prepare_home(settings.home, settings.home_access)
    stop = StopEvent(settings.parent)
    with running_controller(settings) as controller:
        leads = controller.controller.leadership is None or controller.controller.leadership.leads
        tell_person(
            f"the controller runs{'' if leads else '; another one leads, and this one stands by'}."
        )
        stop.wait()
    tell_person("stopped.")


@click.command()
@_home
@click.option("--queues", "worker_queues", help="Queues to serve, separated by commas.")
@click.option("--concurrency", "worker_concurrency", type=int, help="Runs at once.")
@click.option("--name", "worker_name", help="Name of this worker.")
def worker(home: Path | None, **flags: str | int | None) -> None:
    """Run a worker, until SIGTERM. It becomes the process `python -m workers`."""
    from controller.settings import load_settings

    settings = load_settings(home=home, **flags)
    environment = {**os.environ, **settings.environment()}
    os.execve(sys.executable, [sys.executable, "-m", "workers"], environment)  # noqa: S606 - no shell
