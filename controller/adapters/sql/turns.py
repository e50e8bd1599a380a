"""Threads that write to one database file take turns, in the order in which they came."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path
from weakref import WeakValueDictionary


class Turns:
    """A lock that is handed to whoever has waited longest.

    Who lets go of a plain ``threading.Lock`` and asks for it again at once mostly gets it again, so that a thread which
    writes without pause keeps the others waiting until they give up.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody has it and nobody waits: in a forked child the threads of its parent do not exist."""
        self._state = threading.Lock()
        self._holder: int | None = None
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait for one's turn, for ``timeout`` seconds at most; whether it came. RuntimeError if one has it already."""
        me = threading.get_ident()
        with self._state:
            if self._holder == me:
                raise RuntimeError(
                    "a transaction is open in this thread; one inside another cannot be"
                )
            if self._holder is None:
                self._holder = me
                return True
            mine = (me, threading.Lock())
            mine[1].acquire()
            self._waiting.append(mine)
        if mine[1].acquire(timeout=timeout):
            return True
        with self._state:
            if mine not in self._waiting:
                return True  # it came just now
            self._waiting.remove(mine)
            return False

    def release(self) -> None:
        """Let the next one have it."""
        with self._state:
            if self._waiting:
                self._holder, turn = self._waiting.popleft()
                turn.release()
            else:
                self._holder = None


_SHARED: WeakValueDictionary[Path, Turns] = WeakValueDictionary()
_MAKING = threading.Lock()


def turns_at(file: Path) -> Turns:
    """The turns of all stores of this process on ``file``."""
    with _MAKING:
        return _SHARED.setdefault(file.absolute(), Turns())


def _reset_in_child() -> None:
    global _MAKING  # noqa: PLW0603 - another thread of the parent may have held it
    _MAKING = threading.Lock()
    for turns in _SHARED.values():
        turns.reset()


os.register_at_fork(after_in_child=_reset_in_child)
