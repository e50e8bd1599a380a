"""The keys that a policy does not use, as comments in it: what ``incumbent init`` writes below those that it sets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

from controller.rulefmt.nodes import Node, read_nodes
from controller.rulefmt.problems import Problems
from controller.rulefmt.reference import all_sections
from controller.rulefmt.sections import KeyReader, SectionReader

_MARK = re.compile(r"^( *)#: (\S+)\n", re.MULTILINE)
_COLUMN, _WIDTH = 34, 120


def commented(text: str) -> str:
    """``text`` with each line ``#: SECTION`` exchanged for the keys of that section which stand nowhere in it.

    ``promote[]`` and ``triggers[]`` are lists: there, what an entry may be chosen from is shown.
    """
    root, _ = read_nodes(text, Problems("template"))
    sections = {section.title: section for section in all_sections()}

    def lines(mark: re.Match[str]) -> str:
        indent, title = mark.groups()
        entries = _entries(sections[title], root, title)
        return "".join(f"{indent}{line}\n" for said, doc in entries for line in _comment(said, doc))

    return _MARK.sub(lines, text)


def _entries(section: SectionReader, root: Node | None, title: str) -> Iterator[tuple[str, str]]:
    place = title.removesuffix("[]")
    node = root if title == "policy" or root is None else root.below(place)
    holders = [] if node is None else node.items if node.kind == "list" else [node]
    said = {key.text for holder in holders for key, _ in holder.pairs}
    if title == place:
        chosen = said.intersection(section.one_of)
        for key in section.keys:
            if key.name not in said and not (chosen and key.name in section.one_of):
                yield _written(key), key.doc
        return
    needed = [_written(key) for key in section.keys if key.required]
    for key in section.keys:
        if key.name in section.one_of and key.name not in said:
            yield f"- {{{', '.join((*needed, _written(key)))}}}", key.doc


def _written(key: KeyReader) -> str:
    return f"{key.name}: {key.example}"


def _comment(said: str, doc: str) -> Iterator[str]:
    """One line, or more where the sentence is long."""
    head = f"# {said}"
    words = wrap(f"# {doc}", _WIDTH - _COLUMN, subsequent_indent="# ")
    if len(head) >= _COLUMN:
        yield head
        head = "#"
    for line in words:
        yield f"{head:<{_COLUMN}}{line}"
        head = "#"
