"""The lint that refuses `else` over our enums: what it finds, what it lets stand, and that the code holds to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent

import pytest

from scripts.closed_sets import check, enums_of, findings

ROOT = Path(__file__).parents[3]
ENUMS = enums_of([ast.parse("class Kind(StrEnum):\n    A = 'a'\n    B = 'b'\n    C = 'c'\n")])


def refused(text: str) -> list[int]:
    return [found.line for found in findings("x.py", dedent(text), ENUMS)]


BAD = {
    "if with else": "if kind is Kind.A:\n    x = 1\nelse:\n    x = 2",
    "if with elif": "if kind is Kind.A:\n    x = 1\nelif kind is Kind.B:\n    x = 2",
    "the elif alone": "if y:\n    x = 1\nelif kind == Kind.B:\n    x = 2\nelse:\n    x = 3",
    "equality": "if kind == Kind.A:\n    x = 1\nelse:\n    x = 2",
    "not the member": "if kind is not Kind.A:\n    x = 1\nelse:\n    x = 2",
    "some members": "if kind in {Kind.A, Kind.B}:\n    x = 1\nelse:\n    x = 2",
    "among other questions": "if y and not kind is Kind.A:\n    x = 1\nelse:\n    x = 2",
    "the word of a member": "if word == Kind.A.value:\n    x = 1\nelse:\n    x = 2",
    "a ternary": "x = 1 if kind is Kind.A else 2",
    "a ternary inside": "f(*(1 if kind is domain.Kind.A else 2 for kind in kinds))",
    "by way of a name": "def f():\n    first = kind is Kind.A\n    return 1 if first else 2",
    "match with a rest": "match kind:\n    case Kind.A:\n        x = 1\n    case _:\n        x = 2",
    "match that names the rest": "match kind:\n    case Kind.A:\n        x = 1\n    case other:\n        x = 2",
    "match without one": "match kind:\n    case Kind.A:\n        x = 1\n    case Kind.B:\n        x = 2",
    "match with a guard": "match kind:\n    case Kind.A | Kind.B:\n        x = 1\n    case Kind.C if y:\n        x = 2",
    "an exception without a reason": "x = 1 if kind is Kind.A else 2  # closed-set: ",
}
GOOD = {
    "a guard": "def f():\n    if kind is not Kind.A:\n        return\n    x = 1",
    "no question about an enum": "if x == other.A:\n    x = 1\nelse:\n    x = 2",
    "no member": "x = 1 if kind is Kind.made() else 2",
    "match with assert_never": "match kind:\n    case Kind.A:\n        x = 1\n    case _:\n        assert_never(kind)",
    "match of every member": "match kind:\n    case Kind.A | Kind.B:\n        x = 1\n    case Kind.C:\n        x = 2",
    "match of something else": "match x:\n    case 1:\n        y = 1\n    case _:\n        y = 2",
    "a property of the enum": "x = 1 if kind.first else 2",
    "the name in another function": "def f():\n    a = kind is Kind.A\n    g(a)\ndef h(a):\n    return 1 if a else 2",
    "a reason": "x = 1 if kind is Kind.A else 2  # closed-set: whatever it is, it is text",
}


@pytest.mark.parametrize("name", BAD)
def test_what_takes_a_new_member_for_another_is_refused(name: str):
    assert refused(BAD[name])


@pytest.mark.parametrize("name", GOOD)
def test_what_does_not_is_let_be(name: str):
    assert refused(GOOD[name]) == []


def test_a_finding_names_the_line_and_what_is_missing():
    text = "y = 0\nmatch kind:\n    case Kind.A:\n        x = 1\n    case Kind.C:\n        x = 2\n"
    assert [str(found) for found in findings("a/b.py", text, ENUMS)] == [
        "a/b.py:2: names no case for Kind.B"
    ]


def test_enums_are_found_with_their_members_only():
    made = (
        "class E(Enum):\n    _value_: str\n    A = 1\n    B = 2\n    def f(self):\n        C = 1\n"
    )
    assert enums_of([ast.parse(made + "class N:\n    A = 1\n")]) == {"E": frozenset({"A", "B"})}


def test_the_code_tells_no_closed_set_apart_by_else():
    assert [str(found) for found in check(ROOT)] == []


def test_make_check_ci_and_a_commit_ask_it():
    asked = r"^check:.*\n(\t.*\n)*\t@\$\(BIN\)/python -m scripts.closed_sets"
    assert re.search(asked, (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "scripts.closed_sets" in (ROOT / ".pre-commit-config.yaml").read_text()
