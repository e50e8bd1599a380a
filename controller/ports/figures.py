"""Sums over the books, counted where the rows are, for whoever watches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFigure:
    """What a figure needs of a run. ``entry`` rises with each order; ``seconds`` is None until it ended."""

    entry: int
    model: str
    kind: str
    state: str
    waited: float | None = None
    """Seconds from the order to the first claim; None if nobody has claimed it."""
    seconds: float | None = None
    """Seconds from the first claim to the end."""
    age: float = 0.0
    """Seconds since the order, by the clock of the question."""


class FigureRepository(Protocol):
    """Each question names what the asker knows already, so that asking often costs little."""

    def verdicts(self, after: int = 0) -> tuple[int, Mapping[tuple[str, str], int]]:
        """The last decision, and how many of each (model, verdict) there were behind ``after``."""
        ...

    def runs(self, after: int = 0, unended: Collection[int] = ()) -> list[RunFigure]:
        """Runs ordered behind ``after``, and those of ``unended``, in the order of their orders."""
        ...
