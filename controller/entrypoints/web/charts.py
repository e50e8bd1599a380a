"""Charts as SVG, drawn on the server: they print, need no script, and have the numbers beside them in a table.

Colours come from classes in the style sheet, so that light and dark are the reader's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _EDGE = 240, 40, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
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


def scale_of(intervals: Sequence[Interval]) -> Scale:
    """One scale for several intervals, so that they can be compared by eye."""
    values = [v for interval in intervals for v in (*interval.ends(), 0.0)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = (high - low) * 0.06 or 1.0
    return Scale(low - pad, high + pad)


def interval_svg(interval: Interval, scale: Scale, label: str) -> Markup:
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
