"""Waits for files where the system can tell of them, and passes the hint on at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from controller.service.poll_sources import PollSources

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """What :class:`controller.adapters.sources.watch.Watcher` offers."""

    def wait(self, timeout: float, stop_event: threading.Event) -> set[Path]:
        """Wait for changes; what changed."""
        ...

    def close(self) -> None: ...


class WatchSources:
    """A thread that watches the folders of all sources. ``wake`` has the polling loop look now."""

    def __init__(
        self,
        sources: PollSources,
        open_watcher: Callable[[frozenset[Path]], Watcher],
        wake: Callable[[], None],
        *,
        look_for_new_roots: float = 1.0,
    ) -> None:
        self._sources = sources
        self._open = open_watcher
        self._wake = wake
        self._pause = look_for_new_roots
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._run, name="watch-sources", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        roots: frozenset[Path] = frozenset()
        watcher: Watcher | None = None
        while not self._stop.is_set():
            now = self._sources.roots()
            if now != roots or watcher is None:
                if watcher is not None:
                    watcher.close()
                roots, watcher = now, self._open(now)
                # What came between the last look and the start of the watch has given no hint.
                self._pass_on(set(roots))
            self._pass_on(watcher.wait(self._pause, self._stop))
        if watcher is not None:
            watcher.close()

    def _pass_on(self, changed: set[Path]) -> None:
        if changed and self._sources.hint(changed):
            log.debug("files moved", extra={"action": "watch", "files": len(changed)})
            self._wake()
