"""`python -m scripts.closed_sets` refuses `else` where one member of an enum is told apart from the others.

A member that somebody adds later would be taken for one of the others, and nobody would notice: no test, no type.
What is refused in `controller` and `workers`, for every enum that they define:

- `if kind is Kind.A: … else: …` and `elif`, with `is`, `==`, `in` and their opposites, also inside `and`, `or`, `not`
- `a if kind is Kind.A else b`
- `match kind:` with cases of the enum that neither names every member nor ends in `case _: assert_never(kind)`

Instead: `match` with `assert_never`, a property of the enum that does so, or a guard that returns early. A comment
`# closed-set: REASON` on the line of the finding lets it stand where the rest is meant whatever it will be.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("controller", "workers")
EXEMPT = "# closed-set: "
_BASES = {"Enum", "StrEnum", "IntEnum"}

Enums = Mapping[str, frozenset[str]]
"""The members of each enum, by its name."""


@dataclass(frozen=True, order=True)
class Finding:
    """One place that would take a new member for another one."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def enums_of(trees: Iterable[ast.AST]) -> Enums:
    """The enums that these modules define, with their members."""
    found = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef) and any(_named(base) in _BASES for base in node.bases):
            targets = [
                t for each in node.body if isinstance(each, ast.Assign) for t in each.targets
            ]
            names = {t.id for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_")}
            found[node.name] = frozenset(names)
    return found


def findings(path: str, text: str, enums: Enums) -> Iterator[Finding]:
    """What is refused in one file. ``enums`` are those of all files."""
    lines = text.splitlines()
    tree = ast.parse(text)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = set()
    for scope in (tree, *functions):
        names = {} if scope is tree else _answers(scope, enums)
        for node in ast.walk(scope):
            message = _refused(node, enums, names)
            if message and isinstance(node, ast.stmt | ast.expr) and not _exempt(lines, node):
                found.add(Finding(path, node.lineno, message))
    yield from sorted(found)


def _answers(scope: ast.AST, enums: Enums) -> dict[str, set[str]]:
    """The local names that hold the answer of such a question, with its enums: ``done = state is State.DONE``."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Compare):
            asked = set(_asked(node.value, enums, {}))
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found |= {name: asked for name in names if asked}
    return found


def _exempt(lines: list[str], node: ast.stmt | ast.expr) -> bool:
    """Whether a reason stands on the first line of the node."""
    return bool(lines[node.lineno - 1].partition(EXEMPT)[2].strip())


def _refused(node: ast.AST, enums: Enums, names: Mapping[str, set[str]]) -> str:
    """Why the node is refused; empty where it is not."""
    if isinstance(node, ast.Match):
        return _refused_match(node, enums)
    if isinstance(node, ast.If | ast.IfExp) and node.orelse:
        asked = sorted({e for part in ast.walk(node.test) for e in _asked(part, enums, names)})
        if asked:
            said = " and ".join(asked)
            return f"takes whatever else {said} will hold for one thing; use match and assert_never"
    return ""


def _asked(node: ast.AST, enums: Enums, names: Mapping[str, set[str]]) -> Iterator[str]:
    """The enums of whose members a comparison speaks, or the name of its answer."""
    if isinstance(node, ast.Name):
        yield from names.get(node.id, ())
    if isinstance(node, ast.Compare):
        for side in (node.left, *node.comparators):
            parts = side.elts if isinstance(side, ast.Tuple | ast.Set | ast.List) else [side]
            yield from (member[0] for part in parts if (member := _member(part, enums)))


def _refused_match(node: ast.Match, enums: Enums) -> str:
    named: set[tuple[str, str]] = set()
    for case in node.cases:
        if _is_wildcard(case):
            if named and not _never(case):
                return (
                    f"ends in a case for whatever else {_names(named)} will hold; use assert_never"
                )
            return ""
        if case.guard is None:
            named |= set(_members(case.pattern, enums))
    missing = {
        f"{name}.{member}"
        for name in {name for name, _ in named}
        for member in enums[name] - {m for n, m in named if n == name}
    }
    return f"names no case for {', '.join(sorted(missing))}" if missing else ""


def _names(members: set[tuple[str, str]]) -> str:
    return " and ".join(sorted({name for name, _ in members}))


def _members(pattern: ast.pattern, enums: Enums) -> Iterator[tuple[str, str]]:
    parts = pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]
    for part in parts:
        member = _member(part.value, enums) if isinstance(part, ast.MatchValue) else None
        if member is not None:
            yield member


def _is_wildcard(case: ast.match_case) -> bool:
    """``case _`` and ``case other``, which both take whatever comes."""
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and not case.guard


def _never(case: ast.match_case) -> bool:
    """Whether the case does nothing but to say that it cannot be."""
    last = case.body[-1]
    return (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Call)
        and (_named(last.value.func) == "assert_never")
    )


def _member(node: ast.expr, enums: Enums) -> tuple[str, str] | None:
    """``Kind.A`` of ``Kind.A``, ``module.Kind.A`` and ``Kind.A.value``."""
    if isinstance(node, ast.Attribute) and node.attr == "value":
        node = node.value
    if not isinstance(node, ast.Attribute):
        return None
    owner = _named(node.value)
    return (owner, node.attr) if owner in enums and node.attr in enums[owner] else None


def _named(node: ast.expr) -> str:
    """The last part of a dotted name; empty for what is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def check(root: Path) -> list[Finding]:
    """All findings under ``root``, in order."""
    texts = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    enums = enums_of(ast.parse(text) for text in texts.values())
    return sorted(f for path, text in texts.items() for f in findings(path, text, enums))


if __name__ == "__main__":
    found = check(ROOT)
    print("\n".join(map(str, found)), end="\n" if found else "")
    sys.exit(bool(found))
