"""Tables and plots of the gate benchmarks, written where they are read: RESULTS.md and SVG files.

A script measures, prints its table and replaces its own section.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import sections
from benchmarks.sections import table

__all__ = ["line_plot", "publish", "table"]

FOLDER = Path(__file__).parent
COLOURS = (
    *("#4063d8", "#d1495b", "#edae49", "#00798c", "#7b5ea7"),
    *("#8c8c8c", "#66a182", "#c77b30", "#2e4057", "#000000"),
)


publish = partial(sections.publish, FOLDER)


def line_plot(
    name: str, title: str, axes: tuple[str, str], series: Mapping[str, npt.NDArray[np.float64]]
) -> None:
    """Lines over 0..n-1 as a small SVG file beside RESULTS.md."""
    width, height, left, bottom = 640, 360, 60, 40
    values = [np.asarray(line, dtype=float) for line in series.values()]
    count = max(len(line) for line in values)
    low = min(float(line.min()) for line in values)
    high = max(float(line.max()) for line in values)
    high = high if high > low else low + 1.0

    def place(x: float, y: float) -> str:
        across = left + (width - left - 190) * x / max(1, count - 1)
        return f"{across:.1f},{height - bottom - (height - bottom - 40) * (y - low) / (high - low):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        '<style>text {font: 12px sans-serif}</style><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="20" style="font-size: 14px">{escape(title)}</text>',
    ]
    for i in range(5):
        y = low + (high - low) * i / 4
        x_text, y_text = place(0, y).split(",")
        parts.append(
            f'<line x1="{x_text}" y1="{y_text}" x2="{width - 190}" y2="{y_text}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{float(y_text) + 4:.1f}" text-anchor="end">{y:.3g}</text>'
        )
    parts.append(f'<text x="{left}" y="{height - 10}">{escape(axes[0])}</text>')
    parts.append(f'<text x="{left}" y="34">{escape(axes[1])}</text>')
    for number, (label, line) in enumerate(zip(series, values, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(x, float(y)) for x, y in enumerate(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
            f'<text x="{width - 182}" y="{50 + 18 * number}" fill="{colour}">{escape(label)}</text>'
        )
    (FOLDER / f"{name}.svg").write_text("\n".join([*parts, "</svg>"]) + "\n")
