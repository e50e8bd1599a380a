"""The sections of a RESULTS.md, each written by the script that measured it; no number is copied by hand."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_HEAD = """# {subject}, measured

Every section is written by the script that it names, with fixed seeds: run it again and the
numbers (not the seconds) come out the same.
"""


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


def publish(folder: Path, name: str, title: str, body: str) -> None:
    """Print the section and put it into the folder's RESULTS.md in place of its former self.

    ``folder`` is one of ``benchmarks``, and ``name`` the script in it.
    """
    arguments = " ".join(sys.argv[1:])
    command = f"python -m benchmarks.{folder.name}.{name}{' ' + arguments if arguments else ''}"
    section = f"## {title}\n\n`{command}` on {machine()}\n\n{body.strip()}\n"
    print(section)
    results = folder / "RESULTS.md"
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    text = results.read_text() if results.exists() else _HEAD.format(subject=folder.name.title())
    if begin in text:
        before, _, rest = text.partition(begin)
        text = before + begin + section + end + rest.partition(end)[2]
    else:
        text = text.rstrip("\n") + "\n\n" + begin + section + end
    results.write_text(text)
