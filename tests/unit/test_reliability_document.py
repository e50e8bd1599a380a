"""Every failure that the document lists names a test that shows its answer, and each of these exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_each_row_of_known_failures_names_a_test_that_exists():
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    section = text.split("\n## Known failures\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 30
    assert [row for row in rows if not _NAMED.search(row)] == []
    missing = [
        f"{file}::{name}"
        for file, name in _NAMED.findall(section)
        if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []
