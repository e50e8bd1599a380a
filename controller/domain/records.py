"""A version's record in service: what its figures add up to, window by window since it took the seat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSums:
    """Sums over the figures of one window, the ``index``-th since the version took the seat.

    ``rows`` is the sum of n, ``total`` that of n times the value, ``within`` that of n times the variance of one row
    over the ``spread_rows`` whose variance is known; ``plain`` and ``squares`` are sums of the values themselves.
    """

    index: int
    figures: int = 0
    rows: int = 0
    total: float = 0.0
    within: float = 0.0
    spread_rows: int = 0
    plain: float = 0.0
    squares: float = 0.0

    def plus(self, other: WindowSums) -> WindowSums:
        """Both together, under the index of this one."""
        return WindowSums(
            index=self.index,
            figures=self.figures + other.figures,
            rows=self.rows + other.rows,
            total=self.total + other.total,
            within=self.within + other.within,
            spread_rows=self.spread_rows + other.spread_rows,
            plain=self.plain + other.plain,
            squares=self.squares + other.squares,
        )


def figure(index: int, value: float, rows: int, std: float | None) -> WindowSums:
    """One figure: a mean over ``rows`` rows, and the standard deviation of one row where it is known."""
    return WindowSums(
        index=index,
        figures=1,
        rows=rows,
        total=rows * value,
        within=0.0 if std is None else rows * std * std,
        spread_rows=0 if std is None else rows,
        plain=value,
        squares=value * value,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One metric of one version, in windows of ``window`` seconds from ``since`` on, oldest first."""

    version: int
    metric: str
    window: float
    since: datetime
    spans: tuple[WindowSums, ...] = ()

    def index_of(self, at: datetime) -> int:
        """Which window a moment lies in."""
        return max(int((at - self.since).total_seconds() // self.window), 0)

    def whole(self) -> WindowSums:
        """Everything since it took the seat."""
        found = WindowSums(index=0)
        for span in self.spans:
            found = found.plus(span)
        return found

    def since_window(self) -> list[WindowSums]:
        """For each window the sums from it on, the oldest first."""
        found: list[WindowSums] = []
        rest: WindowSums | None = None
        for span in reversed(self.spans):
            rest = span if rest is None else span.plus(rest)
            found.append(rest)
        return found[::-1]


def add_figure(spans: tuple[WindowSums, ...], new: WindowSums) -> tuple[WindowSums, ...]:
    """``spans`` with one more figure in its window."""
    known = {span.index: span for span in spans}
    before = known.get(new.index)
    known[new.index] = before.plus(new) if before else new
    return tuple(known[index] for index in sorted(known))


def bounded(spans: tuple[WindowSums, ...], most: int) -> tuple[WindowSums, ...]:
    """At most ``most`` windows: the oldest ones are one, under the index of the first."""
    if len(spans) <= most:
        return spans
    early = spans[0]
    for span in spans[1 : len(spans) - most + 1]:
        early = early.plus(span)
    return (early, *spans[len(spans) - most + 1 :])
