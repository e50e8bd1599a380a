"""Words that readers must not meet any more, in the documents and in what the product says, each with the word to use.

Each was a metaphor of ours, or translated word for word, where the field has a term. The tagline may keep its seat.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSTEAD = {
    r"seats?|seated": "champion; `v2 replaces v1 as champion`",
    r"reigns?": "the time as champion",
    r"crown\w*": "promote",
    r"doorbells?|rung": "message (to workers)",
    r"exams?": "holdout",
    r"held against|holds? it against|holds? \w+ v?\d+ against": "compared with",
    r"the bar is": "the threshold is",
    r"promotion rests|promotion rested": "promotion is on hold",
    r"looked at again": "evaluated again, checked again",
    r"holds? true|without further ado": "plain words",
    r"mend|mends|mended": "fix, repair",
    r"nobody yet": "none yet",
    r"goes home|speaks? up|the house": "plain words",
}
AS_THE_DATABASE_SAYS = {"a rollback would seat this version"}
"""Sentences of released triggers, which the memory adapter repeats."""

TAGLINE = "every model must defend its seat"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "decisions" not in p.parts),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def found_in(text: str) -> list[str]:
    """Every such word in a text, with what to write instead."""
    text = re.sub(rf"{TAGLINE}", "", " ".join(text.split()), flags=re.IGNORECASE)
    return [
        f"{match[0]!r} in {text[max(match.start() - 40, 0) : match.end() + 30]!r}: write {word}"
        for pattern, word in INSTEAD.items()
        for match in re.finditer(rf"(?<![\w`./-])(?:{pattern})(?![\w`(=-])", text, re.IGNORECASE)
    ]


def said_by(source: str) -> Iterator[str]:
    """The sentences in a module's strings: no docstrings, keys or SQL."""
    tree = ast.parse(source)
    documents = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            sql = re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|RAISE)\b", text)
            if id(node) in documents or sql or text in AS_THE_DATABASE_SAYS:
                continue
            if SENTENCE.search(text) and not text.startswith("<"):
                yield text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_the_plain_words(page: Path):
    text = page.read_text(encoding="utf-8")
    assert found_in(re.sub(r"`[^`\n]*`", "", text)) == []


def test_the_product_speaks_in_the_plain_words():
    wrong = []
    for path in sorted((ROOT / "controller").rglob("*.py")):
        if "migrations" in path.parts:
            continue  # released text of the database
        source = path.read_text(encoding="utf-8")
        if found_in(source):  # reading the syntax of all files would take long
            wrong += [f"{path.name}: {said}" for text in said_by(source) for said in found_in(text)]
    for path in sorted((ROOT / "controller").rglob("*.html")):
        shown = re.sub(r"{%.*?%}|{{.*?}}|<[^>]*>", " ", path.read_text(encoding="utf-8"))
        wrong += [f"{path.name}: {said}" for said in found_in(shown)]
    assert wrong == []


def test_a_word_is_found_and_the_tagline_is_not():
    assert len(found_in("v1 takes the seat from the\nempty seat")) == 2
    assert found_in("Every model must defend its seat, and `seat()` is code") == []
    assert list(said_by('"""the exam"""\nx = "exam"\ny = f"the exam of {x}"')) == ["the exam of "]
