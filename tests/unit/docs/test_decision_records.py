"""Records of decisions: numbered without gaps, dated, and listed with their titles."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))


def test_numbers_have_neither_gaps_nor_doubles():
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_each_record_has_its_number_a_date_and_a_status():
    for path in RECORDS:
        head = path.read_text(encoding="utf-8")[:400]
        assert re.match(
            rf"# {path.name[:4]}: .+\n\nDate: \d{{4}}-\d\d-\d\d\. Status: \w+\.", head
        ), path.name


def test_the_index_lists_every_record_with_its_date_and_title():
    lines = []
    for path in RECORDS:
        title, _, date = path.read_text(encoding="utf-8").split("\n")[:3]
        day = date.removeprefix("Date: ")[:10]
        lines.append(f"- [{path.name[:4]}]({path.name}) {day}: {title.partition(': ')[2]}")
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert [line for line in index.splitlines() if line.startswith("- ")] == lines
