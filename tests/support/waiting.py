"""Waiting for a condition, with a deadline: the only way in which tests wait for another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil


def until(
    condition: Callable[[], Any],
    seconds: float = 180.0,
    *,
    words: Callable[[], str] = lambda: "the condition never held",
    pause: float = 0.02,
) -> Any:
    """What ``condition`` gives as soon as it gives something; fails with ``words`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, words()
        time.sleep(pause)
    return found


def lives(pid: int) -> bool:
    """Whether the process does something still; one that ended and was not waited for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
