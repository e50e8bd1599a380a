"""A backtest as a drawing: time from left to right, one lane a verdict, one panel a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from controller.entrypoints.cli.output import time_cell

if TYPE_CHECKING:
    from controller.service.replay.backtest import Backtest

_LANES = {
    "train": "#4477aa",
    "promote": "#228833",
    "hold": "#ccbb44",
    "reject": "#ee6677",
    "rollback": "#aa3377",
}
_LEFT, _WIDTH, _LANE = 90, 640, 22
_PANEL = _LANE * len(_LANES) + 40


def as_svg(results: Sequence[Backtest]) -> str:
    """The document; every mark has its time and reason as a tooltip."""
    height = _PANEL * len(results) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" height="{height}">',
        '<style>text {font: 12px sans-serif}</style><rect width="100%" height="100%" fill="white"/>',
    ]
    for number, result in enumerate(results):
        lines += _panel(result, 20 + number * _PANEL)
    ends = (results[0].start, results[0].end)
    lines.append(f'<text x="{_LEFT}" y="{height - 8}">{time_cell(ends[0])}</text>')
    lines.append(
        f'<text x="{_LEFT + _WIDTH}" y="{height - 8}" text-anchor="end">{time_cell(ends[1])} UTC</text>'
    )
    return "\n".join([*lines, "</svg>", ""])


def _panel(result: Backtest, top: int) -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="{top}" font-weight="bold">{escape(result.policy)}</text>'
    for row, (verdict, colour) in enumerate(_LANES.items()):
        y = top + 14 + row * _LANE
        count = result.counts.get(verdict, 0)
        yield f'<text x="{_LEFT - 8}" y="{y + 10}" text-anchor="end">{verdict} {count}</text>'
        yield f'<line x1="{_LEFT}" y1="{y + 6}" x2="{_LEFT + _WIDTH}" y2="{y + 6}" stroke="#ddd"/>'
        for item in result.moments:
            if item.verdict == verdict:
                x = _LEFT + _WIDTH * _share(item.at, result.start, result.end)
                said = escape(f"{time_cell(item.at)}: {item.reason}")
                yield (
                    f'<rect x="{x - 1:.1f}" y="{y}" width="3" height="12" fill="{colour}">'
                    f"<title>{said}</title></rect>"
                )


def _share(at: datetime, start: datetime, end: datetime) -> float:
    whole = (end - start).total_seconds()
    return (at - start).total_seconds() / whole if whole else 0.0
