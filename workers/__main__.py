"""``python -m workers``: one worker, until it is told to stop. ``incumbent worker`` becomes this process."""

from __future__ import annotations

import os
import signal
import sys

from controller.domain.errors import IncumbentError
from controller.home import prepare_home
from controller.lifeline import die_with, stop_with
from controller.logs import log_to_stderr
from workers.settings import WorkerSettings


def run_worker(settings: WorkerSettings) -> int:
    """Serve until SIGTERM. The zygote starts first, so that the pool's processes are born knowing it."""
    from workers.app import make_app
    from workers.draining import Drain, drain_on_signals
    from workers.launching import Nursery
    from workers.liveness import announce
    from workers.naming import claim_name

    log_to_stderr(settings.log_level, settings.log_format)
    stop_with(settings.parent, signal.SIGINT)  # what runs is broken off and handed back at once
    claim_name(settings)
    prepare_home(settings.home, settings.home_access)
    nursery = Nursery(settings.preload)
    nursery.start()
    try:
        drain = Drain()
        drain_on_signals(drain, settings.grace)
        die_with_the_worker()
        app = make_app(settings, nursery, drain)
        announce(app, settings, nursery)
        app.worker_main(celery_arguments(settings))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    finally:
        nursery.stop()
    return 0


def die_with_the_worker() -> None:
    """A process of the pool has no work without this one: what it ran comes back by its lease."""
    from celery import signals

    worker = os.getpid()
    signals.worker_process_init.connect(lambda **_: die_with(worker), weak=False)


def celery_arguments(settings: WorkerSettings) -> list[str]:
    """How Celery's worker is started."""
    return [
        "--quiet",
        "worker",
        *(
            "--pool",
            "prefork",
            "-O",
            "fair",
        ),  # a free process gets the next message, none waits behind a long run
        *("--concurrency", str(settings.concurrency)),
        "--without-gossip",  # workers know nothing of each other; the database does
        "--without-mingle",
        "--without-heartbeat",  # the liveness row says it
        *("--hostname", f"{settings.name}@incumbent"),
        *("--loglevel", settings.log_level),
    ]


def main() -> int:
    """The command."""
    try:
        return run_worker(WorkerSettings.load())
    except IncumbentError as error:
        sys.stderr.write(f"incumbent worker: {error.sentence()}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
