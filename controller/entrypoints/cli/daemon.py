"""What `up` and `controller` share: run the loops until somebody says stop, and end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from controller.bootstrap import (
    Controller,
    build_controller,
    build_observer,
    only_controller,
    open_dispatcher,
    open_store,
)
from controller.bootstrap import broker as running_broker
from controller.entrypoints.cli.output import tell_person
from controller.entrypoints.observe import ObserveServer, Probes
from controller.lifeline import stop_with
from controller.service.observe.observer import Observer
from controller.settings import Settings


@contextmanager
def running_controller(settings: Settings) -> Iterator[RunningController]:
    """A controller on the settings' database and broker; leaving the block ends it, losing nothing."""
    with ExitStack() as stack:
        stack.enter_context(only_controller(settings))
        stack.enter_context(running_broker(settings))
        store = open_store(settings, create=True)
        stack.callback(store.close)
        dispatcher = open_dispatcher(settings)
        stack.callback(dispatcher.close)
        controller = build_controller(settings, store, dispatcher)
        controller.start()
        stack.callback(controller.stop)
        observer = build_observer(settings, store, controller)
        if settings.observe_port is not None:
            # It knows no logins, so where owners are isolated nobody there may read of a model.
            probes = Probes(observer, names=settings.isolation != "owner")
            served = ObserveServer(probes, settings.observe_host, settings.observe_port)
            tell_person(f"Figures for Prometheus: {stack.enter_context(served).url}metrics")
        yield RunningController(controller=controller, observer=observer)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningController:
    """A controller at work, and what tells of it."""

    controller: Controller
    observer: Observer


class StopEvent:
    """Set by SIGINT or SIGTERM, and by the end of ``parent`` where the settings name one."""

    def __init__(self, parent: int | None = None) -> None:
        self._event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        stop_with(parent)

    def wait(self) -> None:
        """Return once a signal came."""
        # With a timeout, so that the handler gets its turn on every platform.
        while not self._event.wait(1.0):
            pass

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._event.set()
