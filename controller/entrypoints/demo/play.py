"""Plays the months: delivers a file, moves the clock, and waits until the controller has nothing left to do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.bootstrap import (
    broker,
    build_controller,
    only_controller,
    open_dispatcher,
    open_store,
)
from controller.domain.errors import Unavailable
from controller.entrypoints.demo.clock import JumpingClock
from controller.entrypoints.demo.project import MonthFile, Project
from controller.entrypoints.demo.story import Chapter, DemoMoment, arrived, chapter, look_at_work
from controller.entrypoints.supervise import Supervised
from controller.ports import Store
from controller.settings import ENV_PREFIX, Settings, load_settings

DEMO_MODEL = "flight-delay"
START = datetime(2013, 1, 1, tzinfo=UTC)
_LOOK = 0.15
"""Seconds between two looks at the database, for the display."""
_PATIENCE = 300.0
"""Seconds that one month may take before something must be broken."""
_SETTINGS = """\
# The settings of the demonstration; `INCUMBENT_HOME` alone is enough to look at what it left.
rules = "{rules}"
code = "{code}"
worker_clock = "ordered"
worker_preload = "pandas,pyarrow.parquet,scipy.stats,sklearn.ensemble,sklearn.metrics"
tick = 0.1
sync = 1.0
"""

OnMonth = Callable[[MonthFile, DemoMoment], None]
"""Told what the work on a month is at, a few times a second."""


@dataclass(frozen=True, slots=True)
class DemoStage:
    """A running controller and worker on a home, with a clock that can jump."""

    project: Project
    store: Store
    clock: JumpingClock

    def play(self, month: MonthFile, watch: OnMonth) -> Chapter:
        """Deliver one month and wait for its verdict; Unavailable if none comes."""
        with self.store.read() as tx:
            after, _ = tx.decisions.head()
        self.clock.jump(first_of_next(month.name))
        self.project.deliver(month)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with self.store.read() as tx:
                moment = look_at_work(tx, DEMO_MODEL)
                if moment.idle and arrived(tx, DEMO_MODEL, month.path.name):
                    return chapter(tx, DEMO_MODEL, month.name, month.rows, after)
            watch(month, moment)
            time.sleep(_LOOK)
        raise Unavailable(
            f"nothing was decided about {month.name} within {_PATIENCE:.0f} s.",
            hint=f"`INCUMBENT_HOME={self.project.home} incumbent doctor` looks for the cause.",
        )


def first_of_next(month: str) -> datetime:
    """Six o'clock in New York on the day after the month `2013-01`, when all its flights have landed."""
    year, number = (int(part) for part in month.split("-"))
    first = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return first + timedelta(hours=11)


def settings_of(project: Project) -> Settings:
    """The demonstration's own settings: whatever the shell or the working folder says, it stays in its home."""
    file = project.home / "incumbent.toml"
    file.write_text(_SETTINGS.format(rules=project.rules, code=project.home), encoding="utf-8")
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        del os.environ[name]
    os.environ[f"{ENV_PREFIX}CONFIG"] = str(file)
    return load_settings(home=project.home)


@contextmanager
def stage(project: Project) -> Iterator[DemoStage]:
    """Everything that `incumbent up` runs, on the demonstration's home; all of it ends with the block."""
    settings, clock = settings_of(project), JumpingClock(START)
    with ExitStack() as stack:
        stack.enter_context(only_controller(settings))
        stack.enter_context(broker(settings))
        store = open_store(settings, create=True)
        stack.callback(store.close)
        dispatcher = open_dispatcher(settings)
        stack.callback(dispatcher.close)
        command, log = [sys.executable, "-m", "workers"], project.home / "worker.log"
        environment = {**os.environ, **settings.environment()}
        worker = Supervised("worker", command, environment, settings.grace, output=log)
        worker.start()
        stack.callback(worker.stop)
        controller = build_controller(settings, store, dispatcher, clock)
        controller.start()
        stack.callback(controller.stop)
        yield DemoStage(project, store, clock)
