"""The decision clock: the one time that deciding knows."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The decision clock."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""
        ...
