"""YAML text -> a tree of nodes with positions, with everything refused that readers of YAML disagree on.

Only the parser's *events* are used, never its constructors: no tag is resolved, no alias is expanded, no object
is made, so that a hostile file costs what its bytes cost. What a scalar means is decided by the schema's
types (:mod:`controller.rulefmt.types`), which know what is expected there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from controller.rulefmt.problems import Placed, Position, Problems, quoted

LARGEST_FILE = 256 * 1024
"""Bytes of a rules file. The longest honest policy that we know of has 6 KB."""
DEEPEST = 20
MOST_NODES = 6_000
"""Values of a file, at about 9 µs each: whatever is sent, it is read within a tenth of a second."""
MOST_KEYS = 1_000
"""Keys of one mapping; a policy may name as many columns."""
_TAB_LINES_SHOWN = 20

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LEADING_TAB = re.compile(r"^ *\t", re.MULTILINE)

NodeKind = Literal["scalar", "list", "mapping"]


@dataclass(slots=True)
class Node:
    """A scalar (``text``, ``plain`` when unquoted), a list (``items``) or a mapping (``pairs``)."""

    kind: NodeKind
    line: int
    col: int
    text: str = ""
    plain: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    refused: bool = False
    """True for an alias: it has been reported, and what it stands for is not looked up."""
    unfinished: bool = False
    """True when a syntax error cut it off: what is missing may stand further below."""

    def describe(self) -> str:
        """What stands here, for a message: the text, or the kind of collection."""
        if self.kind != "scalar":
            return f"a {self.kind}"
        return quoted(self.text) if self.text or not self.plain else "nothing"

    def below(self, key: str | int) -> Node | None:
        """The value of a key, or an entry of a list; None where it is missing."""
        if isinstance(key, int):
            return self.items[key] if key < len(self.items) else None
        return next((value for name, value in self.pairs if name.text == key), None)

    @property
    def empty(self) -> bool:
        """True for a plain scalar without text, as in ``key:`` with nothing behind."""
        return self.kind == "scalar" and self.plain and not self.text


class _Stopped(Exception):
    """The rest of the text is not worth reading."""


def read_nodes(text: bytes | str, problems: Problems) -> tuple[Node | None, bool]:
    """The root node of one YAML document, and whether the text was read to its end.

    Problems are reported, never raised. With a syntax error the root holds the pairs that were complete.
    """
    decoded = _decode(text, problems)
    if decoded is None:
        return None, False
    builder = _Builder(problems)
    try:
        for event in yaml.parse(decoded, Loader=_Loader):
            builder.take(event)
    except yaml.YAMLError as error:
        _report_syntax(error, decoded, problems)
        return builder.unfinished_root(), False
    except _Stopped:
        return builder.unfinished_root(), False
    return builder.root, True


def _decode(text: bytes | str, problems: Problems) -> str | None:
    """Text without a byte order mark, or None when it cannot be read at all."""
    if len(text) > LARGEST_FILE:
        problems.add(
            Position(),
            "too-large",
            f"the file has {len(text):,} bytes, a rules file has at most {LARGEST_FILE:,}",
        )
        return None
    decoded = _decode_utf8(text, problems) if isinstance(text, bytes) else text
    if decoded is None:
        return None
    if decoded.startswith("\ufeff"):
        problems.add(
            Position(),
            "byte-order-mark",
            "the file begins with a byte order mark",
            "save it without",
        )
        decoded = decoded[1:]
    text = decoded.replace("\r\n", "\n")
    strange = list(_UNPRINTABLE.finditer(text))
    for match in strange[:_TAB_LINES_SHOWN]:
        problems.add(
            _place_at(text, match.start()),
            "control-character",
            f"character U+{ord(match.group()):04X} is not allowed",
            "delete it",
        )
    return None if strange else text


def _decode_utf8(text: bytes, problems: Problems) -> str | None:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8", "replace")
        byte = text[error.start]
        message = f"byte 0x{byte:02x} is not UTF-8"
        problems.add(
            _place_at(before, len(before)), "invalid-utf8", message, "save the file as UTF-8"
        )
        return None


def _place_at(text: str, offset: int) -> Position:
    line = text.count("\n", 0, offset) + 1
    return Position(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def _report_syntax(error: yaml.YAMLError, text: str, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        problems.add(Position(), "syntax", f"not YAML: {error}".split("\n", 1)[0])
        return
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1]:
        places = [_place_at(text, m.end() - 1) for m in _LEADING_TAB.finditer(text)]
        for place in places[:_TAB_LINES_SHOWN] or [Position(mark.line + 1, mark.column + 1)]:
            problems.add(place, "tab", "a tab where YAML wants spaces", "indent with spaces")
        return
    said = getattr(error, "problem", None) or "not YAML"
    context = getattr(error, "context", None)
    began = getattr(error, "context_mark", None)
    where = f" {context}" if context else ""
    since = f" that begins on line {began.line + 1}" if began and began.line != mark.line else ""
    problems.add(
        Position(mark.line + 1, mark.column + 1), "syntax", f"not YAML: {said}{where}{since}"
    )


@dataclass(slots=True)
class _Builder:
    """Builds the tree from events, with an own stack: nothing recurses over the input."""

    problems: Problems
    root: Node | None = None
    stack: list[Node] = field(default_factory=list)
    keys: list[Node | None] = field(default_factory=list)
    seen: list[dict[str, int]] = field(default_factory=list)
    nodes: int = 0
    documents: int = 0

    def take(self, event: Any) -> None:
        """Add one event to the tree."""
        place = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._begin_document(event, place)
        elif isinstance(event, yaml.AliasEvent):
            self.problems.add(
                place,
                "alias",
                f"alias *{str(event.anchor)[:40]} is not allowed",
                "write the value out",
            )
            self._attach(Node("scalar", place.line, place.col, refused=True))
        elif isinstance(event, yaml.ScalarEvent):
            self._check_properties(event, place)
            plain = event.style is None or event.style == ""
            self._attach(Node("scalar", place.line, place.col, text=event.value, plain=plain))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_properties(event, place)
            kind: NodeKind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            node = Node(kind, place.line, place.col)
            self._attach(node)
            self._open(node)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
            self.keys.pop()
            self.seen.pop()

    def _begin_document(self, event: Any, place: Position) -> None:
        self.documents += 1
        if event.version or event.tags:
            self.problems.add(place, "directive", "a % directive is not allowed", "delete the line")
        if self.documents > 1:
            message = "a second document begins here, a rules file has one"
            self.problems.add(
                place, "several-documents", message, "delete the line or split the file"
            )
            raise _Stopped

    def _check_properties(self, event: Any, place: Placed) -> None:
        if event.anchor:
            message = f"anchor &{str(event.anchor)[:40]} is not allowed"
            self.problems.add(place, "anchor", message, "delete it and write each value out")
        if event.tag:
            message = f"tag {quoted(event.tag)} is not allowed"
            self.problems.add(place, "tag", message, "delete it")

    def _open(self, node: Node) -> None:
        if len(self.stack) >= DEEPEST:
            message = f"nested more than {DEEPEST} levels deep"
            self.problems.add(node, "too-deep", message)
            raise _Stopped
        self.stack.append(node)
        self.keys.append(None)
        self.seen.append({})

    def _attach(self, node: Node) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.problems.add(
                node, "too-many-values", f"more than {MOST_NODES:,} values in one file"
            )
            raise _Stopped
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.kind == "list":
            parent.items.append(node)
        elif self.keys[-1] is None:
            self.keys[-1] = node
        else:
            key = self.keys[-1]
            self.keys[-1] = None
            if self._usable_key(key):
                parent.pairs.append((key, node))
            if len(self.seen[-1]) > MOST_KEYS:
                message = f"more than {MOST_KEYS:,} keys in one mapping; what follows was not read"
                self.problems.add(key, "too-many-keys", message)
                raise _Stopped

    def _usable_key(self, key: Node) -> bool:
        if key.kind != "scalar":
            self.problems.add(key, "complex-key", f"a key must be text, not {key.describe()}")
            return False
        if key.text == "<<" and key.plain:
            self.problems.add(key, "merge-key", "merge key << is not allowed", "write the keys out")
            return False
        seen = self.seen[-1]
        if key.text in seen:
            message = f"key {quoted(key.text)} stands here again, first on line {seen[key.text]}"
            self.problems.add(key, "duplicate-key", message, "keep one of them")
            return False
        seen[key.text] = key.line
        return True

    def unfinished_root(self) -> Node | None:
        """The root mapping with its complete pairs: the one that was being read is left out."""
        if self.root is None or self.root.kind != "mapping":
            return None
        if len(self.stack) > 1 and self.root.pairs:
            self.root.pairs.pop()
        self.root.unfinished = True
        return self.root
