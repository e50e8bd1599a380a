"""Tables and plots of the gate benchmarks, written where they are read: RESULTS.md and SVG files.

A script measures, prints its table and replaces its own section; no number is copied by hand.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
COLOURS = (
    *("#4063d8", "#d1495b", "#edae49", "#00798c", "#7b5ea7"),
    *("#8c8c8c", "#66a182", "#c77b30", "#2e4057", "#000000"),
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned right."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores and versions, as far as they matter here."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def publish(name: str, title: str, body: str) -> None:
    """Prints the section and puts it into RESULTS.md in place of its former self."""
    module = f"benchmarks.gates.{name}"
    arguments = " ".join(sys.argv[1:])
    command = f"python -m {module}{' ' + arguments if arguments else ''}"
    section = f"## {title}\n\n`{command}` on {machine()}\n\n{body.strip()}\n"
    print(section)
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    text = RESULTS.read_text() if RESULTS.exists() else HEAD
    if begin in text:
        before, _, rest = text.partition(begin)
        text = before + begin + section + end + rest.partition(end)[2]
    else:
        text = text.rstrip("\n") + "\n\n" + begin + section + end
    RESULTS.write_text(text)


HEAD = """# Gates, measured

Every section is written by the script that it names, with fixed seeds: run it again and the
numbers (not the seconds) come out the same.
"""


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
