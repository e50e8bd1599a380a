"""Wakes a waiting loop as soon as a file arrives, where the system offers it.

A watch is a hint and never the truth: the loop looks at its sources itself, and looks now and then without a hint.
Where a folder cannot be watched (it is missing, lies on a network, the system's watches are used up), waiting is
just waiting, and ``unwatched`` names the folder so that the loop looks more often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from watchfiles._rust_notify import RustNotify

from controller.adapters.sources.formats import format_of, is_ignored

STEP_MS = 15
"""A hint comes when this long nothing else has changed: below 50 ms from a rename to the wake-up."""

DEBOUNCE_MS = 200
"""A hint comes at the latest after this long, however much is being written."""

WATCH_SLICE = 0.5
"""Seconds after which a missing folder is looked for again."""


class Watcher:
    """Watches folders with everything below them. One thread waits at a time, and says which ones it follows."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._paths: tuple[Path, ...] = ()
        self._notify: RustNotify | None = None
        self._watched: frozenset[Path] = frozenset()
        self._missed: set[Path] = set()
        self.follow(paths)

    @property
    def unwatched(self) -> tuple[Path, ...]:
        """Folders for which no hint will come."""
        return tuple(path for path in self._paths if path not in self._watched)

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these folders from now on. Of those that were watched before, nothing is missed meanwhile."""
        self._paths = tuple(dict.fromkeys(paths))
        self._start()

    def wait(self, timeout: float, stop_event: threading.Event) -> set[Path]:
        """Wait until data files changed, ``timeout`` seconds passed, or ``stop_event`` is set; what changed."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and not stop_event.is_set():
            missed, self._missed = self._missed, set()
            new = missed | self._found_again()
            if new:
                return new
            changed = self._wait_once(
                min(left, WATCH_SLICE) if self.unwatched else left, stop_event
            )
            if changed:
                return changed
        return set()

    def _wait_once(self, seconds: float, stop_event: threading.Event) -> set[Path]:
        if self._notify is None:
            stop_event.wait(seconds)
            return set()
        found = self._notify.watch(DEBOUNCE_MS, STEP_MS, max(1, int(seconds * 1000)), stop_event)
        if isinstance(found, str):
            if found == "signal":
                raise KeyboardInterrupt
            return set()
        return _data_files(found)

    def _found_again(self) -> set[Path]:
        """Folders that could not be watched before and can be now; they may hold data already."""
        if not any(path.exists() for path in self.unwatched):
            return set()
        before = self._watched
        self._start()
        return set(self._watched - before)

    def _start(self) -> None:
        """Watch what is there. The former watch goes on until this one has begun, and is heard to its end."""
        former, self._notify = self._notify, None
        watched = [path for path in self._paths if path.exists()]
        while watched:
            try:
                self._notify = RustNotify(
                    [str(path) for path in watched], False, False, 300, True, True
                )
                break
            except (OSError, RuntimeError):
                watched.pop()
        self._watched = frozenset(watched)
        if former is not None:
            heard = former.watch(DEBOUNCE_MS, 1, 1, None)
            if not isinstance(heard, str):
                self._missed |= _data_files(heard)
            former.close()

    def close(self) -> None:
        """Stop watching."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None
        self._watched = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _data_files(changes: Iterable[tuple[int, str]]) -> set[Path]:
    paths = (Path(path) for _, path in changes)
    return {path for path in paths if not is_ignored(path.name) and format_of(path.name)}
