"""The decision clock: the one time that deciding knows; and what is known of the machine's, which may be set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from controller.domain.durations import format_duration

NEWS = timedelta(hours=1)
"""For so long a jump is a thing to look at."""


class Clock(Protocol):
    """The decision clock."""

    def now(self) -> datetime:
        """The present, timezone-aware, in UTC."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockJump:
    """The wall clock went ``seconds`` ahead (back where they are negative); ``at`` is what it showed then."""

    at: datetime
    seconds: float

    def sentence(self) -> str:
        """What happened, for people."""
        where = "ahead" if self.seconds > 0 else "back"
        span = format_duration(timedelta(seconds=round(abs(self.seconds))))
        slept = " (it was set, or the machine slept)" if self.seconds > 0 else ""
        return f"this machine's clock went {span} {where} at {self.at:%Y-%m-%d %H:%M} UTC{slept}."

    def is_news(self, now: datetime) -> bool:
        """Whether it was a short time ago, as far as that can be told by a clock that jumps."""
        return abs(now - self.at) < NEWS
