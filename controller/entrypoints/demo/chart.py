"""The champion's error over the year as an SVG: written by hand, without a script, for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from controller.entrypoints.demo.story import Chapter

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 84, 56
STEP = 5
"""Minutes between two lines of the grid."""

_STYLE = """\
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
  .paper { fill: #ffffff } .ink { fill: #1f2430 } .faint { fill: #667085 }
  .grid { stroke: #e4e7ec } .seat { stroke: #2f5fd0; fill: none; stroke-width: 2.5 }
  .dot { fill: #2f5fd0; stroke: #ffffff; stroke-width: 1.5 }
  .promote { fill: #1a8f5a } .reject { stroke: #c4314b; stroke-width: 2.5; fill: none }
  .hold { stroke: #b7791f; stroke-width: 2; fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14171f } .ink { fill: #e6e9f0 } .faint { fill: #98a2b3 }
    .grid { stroke: #2a3040 } .seat { stroke: #7aa2ff } .dot { fill: #7aa2ff; stroke: #14171f }
    .promote { fill: #4ccb8f } .reject { stroke: #ff7b8f } .hold { stroke: #e8b04b; fill: #14171f }
  }
"""
_TITLE = "The champion's error through 2013"
_SUBTITLE = (
    "Mean absolute error in minutes on the newest two weeks of each month, after the verdict"
)
_LEGEND = (("promote", "challenger promoted"), ("hold", "held"), ("reject", "rejected"))


def chart(chapters: Sequence[Chapter]) -> str:
    """The year as an SVG document."""
    values = [v for c in chapters for v in (c.champion_mae, c.challenger_mae) if v is not None]
    low = STEP * int(min(values, default=0) // STEP)
    high = STEP * (int(max(values, default=STEP) // STEP) + 1)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(_TITLE)}">'
    )
    lines = [
        opening,
        f"<style>\n{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
        f'<text class="ink" x="{LEFT}" y="34" font-size="18" font-weight="600">{_TITLE}</text>',
        f'<text class="faint" x="{LEFT}" y="56">{_SUBTITLE}</text>',
        *_grid(low, high),
        *_seat(chapters, low, high),
        *(mark for i, c in enumerate(chapters) for mark in _marks(c, i, len(chapters), low, high)),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _x(index: int, count: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / max(count, 1), 1)


def _y(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low)
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)


def _grid(low: int, high: int) -> Iterator[str]:
    for value in range(low, high + 1, STEP):
        y = _y(value, low, high)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="faint" x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{value}</text>'


def _seat(chapters: Sequence[Chapter], low: int, high: int) -> Iterator[str]:
    """The champion's line, from its first month on."""
    points = [
        f"{_x(i, len(chapters))},{_y(c.champion_mae, low, high)}"
        for i, c in enumerate(chapters)
        if c.champion_mae is not None
    ]
    if points:
        yield f'<polyline class="seat" stroke-linejoin="round" points="{" ".join(points)}"/>'


def _marks(chapter: Chapter, index: int, count: int, low: int, high: int) -> Iterator[str]:
    """A month: its name, the champion's dot, and the challenger's mark by its verdict."""
    x = _x(index, count)
    name = chapter.month.rsplit("-", 1)[-1]
    yield f'<text class="faint" x="{x}" y="{HEIGHT - BOTTOM + 24}" text-anchor="middle">{name}</text>'
    if chapter.champion_mae is not None and chapter.verdict != "promote":
        y = _y(chapter.champion_mae, low, high)
        title = f"<title>{chapter.month}: champion {chapter.champion_mae:.2f} min</title>"
        yield f'<circle class="dot" cx="{x}" cy="{y}" r="4">{title}</circle>'
    if chapter.challenger_mae is not None:
        y = _y(chapter.challenger_mae, low, high)
        said = f"{chapter.month}: v{chapter.challenger} {chapter.challenger_mae:.2f} min, {chapter.verdict}"
        yield f"<g><title>{escape(said)}: {escape(chapter.reason)}</title>{_mark(chapter.verdict, x, y)}</g>"


def _mark(verdict: str, x: float, y: float) -> str:
    if verdict == "promote":
        return f'<circle class="promote" cx="{x}" cy="{y}" r="6"/>'
    if verdict == "reject":
        return f'<path class="reject" d="M{x - 5} {y - 5}l10 10m0 -10l-10 10"/>'
    return f'<circle class="hold" cx="{x}" cy="{y}" r="5"/>'


def _legend() -> Iterator[str]:
    x = WIDTH - RIGHT - 330.0
    yield f'<line class="seat" x1="{x - 100}" x2="{x - 76}" y1="30" y2="30"/>'
    yield f'<text class="ink" x="{x - 68}" y="34">champion</text>'
    for verdict, text in _LEGEND:
        yield _mark(verdict, x + 12, 30)
        yield f'<text class="ink" x="{x + 24}" y="34">{text}</text>'
        x += 34 + 7.2 * len(text)
