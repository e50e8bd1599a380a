"""Charts as SVG, drawn on the server: they print, need no script, and have the numbers beside them in a table.

Colours come from classes in the style sheet, so that light and dark are the reader's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _EDGE = 240, 40, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class GainInterval:
    """A gain with its bounds against what was needed, all in the metric's unit; more is better."""

    point: float
    need: float
    low: float | None = None
    high: float | None = None
    result: str = ""

    def ends(self) -> list[float]:
        """Every value that must fit on the axis."""
        return [v for v in (self.point, self.need, self.low, self.high) if v is not None]


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels."""

    low: float
    high: float
    width: int = _WIDTH
    edge: int = _EDGE

    def __call__(self, value: float) -> float:
        """Where the value lies, within the edges."""
        span = self.high - self.low or 1.0
        share = min(max((value - self.low) / span, 0.0), 1.0)
        return round(self.edge + share * (self.width - 2 * self.edge), 1)


def scale_of(intervals: Sequence[GainInterval]) -> Scale:
    """One scale for several intervals, so that they can be compared by eye."""
    values = [v for interval in intervals for v in (*interval.ends(), 0.0)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = (high - low) * 0.06 or 1.0
    return Scale(low - pad, high + pad)


def interval_svg(interval: GainInterval, scale: Scale, label: str) -> Markup:
    """A line from bound to bound, a dot at the estimate, and the margin that had to be beaten."""
    x, need, mid = scale(interval.point), scale(interval.need), _HEIGHT // 2
    parts = [
        f'<rect class="ch-zone" x="{need}" y="4" width="{max(_WIDTH - _EDGE - need, 0):.1f}" height="{_HEIGHT - 8}"/>',
        f'<line class="ch-axis" x1="{_EDGE}" x2="{_WIDTH - _EDGE}" y1="{mid}" y2="{mid}"/>',
        f'<line class="ch-zero" x1="{scale(0.0)}" x2="{scale(0.0)}" y1="12" y2="{_HEIGHT - 12}"/>',
        f'<line class="ch-need" x1="{need}" x2="{need}" y1="3" y2="{_HEIGHT - 3}"/>',
    ]
    kind = f"ch-{interval.result}"
    if interval.low is not None and interval.high is not None:
        low, high = scale(interval.low), scale(interval.high)
        parts.append(f'<line class="ch-bar {kind}" x1="{low}" x2="{high}" y1="{mid}" y2="{mid}"/>')
        parts += [
            f'<line class="ch-bar {kind}" x1="{end}" x2="{end}" y1="{mid - 5}" y2="{mid + 5}"/>'
            for end in (low, high)
        ]
    parts.append(f'<circle class="ch-dot {kind}" cx="{x}" cy="{mid}" r="4.5"/>')
    return _svg(_WIDTH, _HEIGHT, label, parts, "interval")


def _svg(width: int, height: int, label: str, parts: Sequence[str], kind: str) -> Markup:
    inside = "".join(parts)
    return Markup(  # noqa: S704 - numbers of ours, and a label that is escaped
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{inside}</svg>'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Something that happened, on a time line."""

    at: datetime
    kind: str
    label: str


def timeline_svg(
    reigns: Sequence[tuple[datetime, datetime, float | None, str]],
    marks: Sequence[Mark],
    label: str,
) -> Markup:
    """Champions as steps at the metric that seated them, and what happened as marks below."""
    width, height, top, foot = 900, 200, 16, 40
    if not reigns:
        return Markup()
    times = [t for since, until, _, _ in reigns for t in (since, until)] + [m.at for m in marks]
    start, end = min(times).timestamp(), max(times).timestamp()
    across = Scale(start, end if end > start else start + 1, width, 44)
    values = [v for _, _, v, _ in reigns if v is not None] or [0.0]
    low, high = min(values), max(values)
    pad = (high - low) * 0.15 or abs(high) * 0.05 or 1.0
    up = Scale(low - pad, high + pad, height - top - foot, 0)

    def y(value: float | None) -> float:
        return round(height - foot - up(value if value is not None else low), 1)

    parts = [
        f'<line class="ch-axis" x1="44" x2="{width - 44}" y1="{height - foot + 8}" y2="{height - foot + 8}"/>',
        f'<text class="ch-text" x="4" y="{y(high) + 4}">{high:.4g}</text>',
    ]
    if high > low:
        parts.append(f'<text class="ch-text" x="4" y="{y(low) + 4}">{low:.4g}</text>')
    for since, until, value, name in reigns:
        left, right, level = across(since.timestamp()), across(until.timestamp()), y(value)
        parts.append(f'<line class="ch-reign" x1="{left}" x2="{right}" y1="{level}" y2="{level}"/>')
        parts.append(f'<circle class="ch-seat" cx="{left}" cy="{level}" r="4"/>')
        parts.append(f'<text class="ch-text" x="{left}" y="{level - 8}">{escape(name)}</text>')
    for (_, until, value, _), (_, _, later, _) in pairwise(sorted(reigns)):
        x = across(until.timestamp())
        parts.append(f'<line class="ch-step" x1="{x}" x2="{x}" y1="{y(value)}" y2="{y(later)}"/>')
    for mark in marks:
        x = across(mark.at.timestamp())
        parts.append(
            f'<circle class="ch-mark ch-{escape(mark.kind)}" cx="{x}" cy="{height - foot + 8}" r="4">'
            f"<title>{escape(mark.label)}</title></circle>"
        )
    for at, anchor in ((min(times), "start"), (max(times), "end")):
        x = across(at.timestamp())
        parts.append(
            f'<text class="ch-text" x="{x}" y="{height - 8}" text-anchor="{anchor}">{at:%Y-%m-%d}</text>'
        )
    return _svg(width, height, label, parts, "timeline")


def curve_svg(name: str, points: Sequence[tuple[float, float]]) -> Markup:
    """A metric over the steps of a training."""
    width, height = 420, 120
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    across = Scale(min(xs), max(xs), width, 40)
    up = Scale(min(ys), max(ys), height - 40, 0)
    path = " ".join(f"{across(x)},{height - 20 - up(y):.1f}" for x, y in points)
    label = f"{name} from {ys[0]:.4g} at step {xs[0]:g} to {ys[-1]:.4g} at step {xs[-1]:g}"
    parts = [
        f'<text class="ch-text" x="2" y="14">{escape(name)} {ys[-1]:.4g}</text>',
        f'<polyline class="ch-curve" points="{path}"/>',
    ]
    return _svg(width, height, label, parts, "curve")


def spark_svg(values: Sequence[float], label: str) -> Markup:
    """A metric of the last champions, as small as a word."""
    if len(values) < 2:
        return Markup()
    across, up = Scale(0, len(values) - 1, 90, 3), Scale(min(values), max(values), 22, 3)
    path = " ".join(f"{across(i)},{22 - up(v):.1f}" for i, v in enumerate(values))
    return _svg(90, 22, label, [f'<polyline class="ch-curve" points="{path}"/>'], "spark")


_ROLES = (("label", "ch-label"), ("champion", "ch-champion"), ("challenger", "ch-challenger"))


def calibration_svg(sides: Mapping[str, Sequence[Sequence[float]]], unit: str) -> Markup:
    """Mean answer (across) against mean label (up) in groups of equal size; on the diagonal they agree."""
    width, height, edge = 360, 260, 44
    values = [value for rows in sides.values() for row in rows for value in row[:2]]
    if not values:
        return Markup()
    low, high = min(values), max(values)
    across, up = Scale(low, high, width, edge), Scale(low, high, height, 28)
    parts = [
        (
            f'<line class="ch-zero" x1="{across(low)}" y1="{height - up(low)}"'
            f' x2="{across(high)}" y2="{height - up(high)}"/>'
        ),
        *_frame(across, up, height),
    ]
    for role, kind in _ROLES:
        rows = sides.get(role) or ()
        if not rows:
            continue
        path = " ".join(f"{across(row[0])},{height - up(row[1]):.1f}" for row in rows)
        parts.append(f'<polyline class="ch-curve {kind}" points="{path}"/>')
        parts += [
            f'<circle class="ch-point {kind}" cx="{across(row[0])}" cy="{height - up(row[1]):.1f}" r="3"/>'
            for row in rows
        ]
    return _svg(width, height, f"Calibration: mean answer against {unit}", parts, "plot")


def _frame(across: Scale, up: Scale, height: int, unit: str = "{:.3g}") -> Iterator[str]:
    """Axes with their ends named; ``unit`` formats those of the upright one."""
    left, right = across(across.low), across(across.high)
    foot, top = height - up(up.low), height - up(up.high)
    yield f'<line class="ch-axis" x1="{left}" x2="{right}" y1="{foot}" y2="{foot}"/>'
    yield f'<line class="ch-axis" x1="{left}" x2="{left}" y1="{foot}" y2="{top}"/>'
    for x, value, anchor in ((left, across.low, "start"), (right, across.high, "end")):
        yield f'<text class="ch-text" x="{x}" y="{foot + 16}" text-anchor="{anchor}">{value:.3g}</text>'
    for y, value in ((foot, up.low), (top, up.high)):
        yield f'<text class="ch-text" x="{left - 6}" y="{y + 4}" text-anchor="end">{unit.format(value)}</text>'


def spread_svg(edges: Sequence[float], shares: Mapping[str, Sequence[float]]) -> Markup:
    """Shares of rows by value: labels as an area, both versions' answers as steps."""
    width, height = 360, 260
    most = max((value for column in shares.values() for value in column), default=0.0) or 1.0
    across, up = Scale(edges[0], edges[-1], width, 44), Scale(0.0, most, height, 28)
    parts = list(_frame(across, up, height, "{:.0%}"))
    for role, kind in _ROLES:
        column = shares.get(role)
        if not column:
            continue
        steps = " ".join(
            f"{across(low)},{height - up(share):.1f} {across(high)},{height - up(share):.1f}"
            for share, (low, high) in zip(column, pairwise(edges), strict=True)
        )
        if role == "label":
            floor = height - up(0.0)
            closed = f"{across(edges[0])},{floor} {steps} {across(edges[-1])},{floor}"
            parts.append(f'<polygon class="ch-area" points="{closed}"/>')
        else:
            parts.append(f'<polyline class="ch-curve {kind}" points="{steps}"/>')
    return _svg(width, height, "How labels and answers are spread", parts, "plot")


def bars_svg(classes: Sequence[str], shares: Mapping[str, Sequence[float]]) -> Markup:
    """Shares of each class: labels, champion and challenger as three bars."""
    row, width, left = 34, 360, 110
    most = max((value for column in shares.values() for value in column), default=0.0) or 1.0
    parts = []
    for index, name in enumerate(classes):
        top = index * row + 4
        parts.append(
            f'<text class="ch-text" x="{left - 8}" y="{top + 16}" text-anchor="end">{escape(str(name)[:16])}</text>'
        )
        for place, (role, kind) in enumerate(_ROLES):
            column = shares.get(role)
            if column:
                long = round((width - left - 8) * column[index] / most, 1)
                parts.append(
                    f'<rect class="ch-block {kind}" x="{left}" y="{top + place * 9}" width="{long}" height="7"/>'
                )
    return _svg(width, len(classes) * row + 8, "Share of each class", parts, "plot")
