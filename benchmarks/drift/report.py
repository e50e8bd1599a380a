"""Sections of benchmarks/drift/RESULTS.md, each written by the script that measured it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.gates.report import machine, table

__all__ = ["machine", "publish", "table"]

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Drift, measured

Every section is written by the script that it names, with fixed seeds: run it again and the
numbers (not the seconds) come out the same.
"""


def publish(name: str, title: str, body: str) -> None:
    """Prints the section and puts it into RESULTS.md in place of its former self."""
    arguments = " ".join(sys.argv[1:])
    command = f"python -m benchmarks.drift.{name}{' ' + arguments if arguments else ''}"
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
