"""Which places lie below which local folders, so that a hint finds its places without asking all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from controller.service.sources.looks import Place


class WatchedRoots:
    """May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._below: dict[Path, dict[Place, None]] = {}
        self._all: frozenset[Path] | None = frozenset()

    def add(self, place: Place, roots: Iterable[Path]) -> None:
        """Changes below ``roots`` concern ``place``."""
        with self._lock:
            for root in roots:
                self._below.setdefault(root, {})[place] = None
            self._all = None

    def drop(self, place: Place) -> None:
        """Nothing concerns it any more."""
        with self._lock:
            for root in place.roots:
                self._below.get(root, {}).pop(place, None)
                if self._below.get(root) == {}:
                    del self._below[root]
            self._all = None

    def of(self, paths: Iterable[Path]) -> list[Place]:
        """The places that a change of these files or folders concerns, each once."""
        folders = {folder for path in paths for folder in (path, *path.parents)}
        with self._lock:
            found = (place for folder in folders for place in self._below.get(folder, ()))
            return list(dict.fromkeys(found))

    def all(self) -> frozenset[Path]:
        """Every folder; the very same set while nothing has changed."""
        with self._lock:
            if self._all is None:
                self._all = frozenset(self._below)
            return self._all
