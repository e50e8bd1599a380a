"""The filter that all lists share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A filter for lists; None means any. Newest first, ``before`` is an exclusive id to page on (of runs: a
    run's number, which needs ``model``). ``since`` is inclusive, ``until`` is not.

    ``kinds`` are signal kinds, run kinds, or verdicts; ``states`` are signal statuses, run or version states.
    """

    model: str | None = None
    kinds: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 100
