"""Waits for files where the system can tell of them, and passes the hint on at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from controller.service.sources.poll import PollSources

log = logging.getLogger(__name__)


class FolderWatcher(Protocol):
    """What :class:`controller.adapters.sources.watch.FolderWatcher` offers."""

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these folders from now on, and miss nothing in those that were watched before."""
        ...

    def wait(self, timeout: float, stop_event: threading.Event) -> set[Path]:
        """Wait for changes; what changed."""
        ...

    def close(self) -> None: ...


class WatchSources:
    """A thread that watches the folders of all sources. ``wake`` has the polling loop look now."""

    def __init__(
        self,
        sources: PollSources,
        open_watcher: Callable[[], FolderWatcher],
        wake: Callable[[], None],
        *,
        look_for_new_roots: float = 1.0,
    ) -> None:
        self._sources = sources
        self._open = open_watcher
        self._wake = wake
        self._pause = look_for_new_roots
        self._roots: frozenset[Path] = frozenset()
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
        watcher = self._open()
        try:
            while not self._stop.is_set():
                self.follow_roots(watcher)
                self._pass_on(watcher.wait(self._pause, self._stop))
        finally:
            watcher.close()

    def follow_roots(self, watcher: FolderWatcher) -> None:
        """Watch what the sources have come to read, and give up what they read no more."""
        now = self._sources.roots()
        if now == self._roots:
            return
        new, self._roots = now - self._roots, now
        watcher.follow(sorted(now))
        # What came between the last look and the start of the watch has given no hint.
        self._pass_on(set(new))

    def _pass_on(self, changed: set[Path]) -> None:
        if changed and self._sources.hint(changed):
            log.debug("files moved", extra={"action": "watch", "files": len(changed)})
            self._wake()
