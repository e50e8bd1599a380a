"""`incumbent up`, `incumbent controller` and `incumbent worker`: the running system."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from controller.entrypoints.cli.output import tell


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
def up(home: Path | None, rules: str | None, no_worker: bool) -> None:
    """Run controller, worker and broker as one tree, until Ctrl-C."""
    from controller.entrypoints.cli.daemon import Stop, running_controller
    from controller.entrypoints.supervise import Supervised
    from controller.logs import configure_logging
    from controller.settings import load_settings

    began = time.monotonic()
    settings = load_settings(home=home, rules=rules)
    configure_logging(settings)
    stop = Stop()
    with running_controller(settings):
        worker = None
        if not no_worker:
            environment = {**os.environ, **settings.environment()}
            command = [sys.executable, "-m", "workers"]
            worker = Supervised("worker", command, environment, settings.grace + 5)
            worker.start()
        tell(
            f"incumbent is up after {time.monotonic() - began:.1f} s: rules in {settings.rules}, "
            f"state in {settings.home}. Ctrl-C ends it."
        )
        try:
            stop.wait()
        finally:
            tell("stopping; what is under way goes on at the next start.")
            if worker is not None:
                worker.stop()
    tell("stopped.")


@click.command("controller")
@_home
@_rules
def controller_command(home: Path | None, rules: str | None) -> None:
    """Run a controller without a worker, until SIGTERM."""
    from controller.entrypoints.cli.daemon import Stop, running_controller
    from controller.logs import configure_logging
    from controller.settings import load_settings

    settings = load_settings(home=home, rules=rules)
    configure_logging(settings)
    stop = Stop()
    with running_controller(settings):
        tell("the controller runs.")
        stop.wait()
    tell("stopped.")


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
