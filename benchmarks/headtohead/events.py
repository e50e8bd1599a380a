"""What the contestants share: events and results as lines of files, and how they are counted."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = 8


@dataclass(frozen=True)
class Count:
    """Of the events of one row."""

    lost: int
    doubled: int


def add(file: Path, **line: Any) -> None:
    """One line, whole, whoever else writes."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, (json.dumps(line) + "\n").encode())
    os.close(handle)


def lines(file: Path) -> list[dict[str, Any]]:
    """All lines so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def count(results: Path, events: list[str]) -> Count:
    """Results by event."""
    ended = Counter(line["event"] for line in lines(results))
    return Count(
        lost=sum(ended[event] == 0 for event in events),
        doubled=sum(ended[event] > 1 for event in events),
    )


def wait(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether it held within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def settle(results: Path, quiet: float, most: float) -> None:
    """Wait until nothing has been added for `quiet` seconds; at most `most`."""
    deadline = time.monotonic() + most
    seen, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < quiet:
        if (now := len(lines(results))) != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.1)
