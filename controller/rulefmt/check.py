"""Checks rule files as a whole: problems of each, lints of each, and what only several files show together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.rulefmt.lints import Linted, lint, lint_together
from controller.rulefmt.parse import parse
from controller.rulefmt.problems import Level, Note


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of a check over ``files`` files; ``policies`` are those that parse."""

    files: int
    notes: tuple[Note, ...]
    policies: tuple[Linted, ...]

    def refuses(self, *, strict: bool = False) -> bool:
        """Whether the rules must not be used. Silenced findings never count, advice only when ``strict``."""
        return any(not n.silenced and (strict or n.level != "advice") for n in self.notes)

    def count(self, level: Level) -> int:
        """How many notes of one level are not silenced."""
        return sum(1 for note in self.notes if note.level == level and not note.silenced)


def check_texts(texts: Iterable[tuple[str, bytes]]) -> CheckReport:
    """Check policies given as ``(path, bytes)``; order of the files is kept, notes are in order of the text."""
    notes: list[Note] = []
    policies: list[Linted] = []
    files = 0
    for path, text in texts:
        files += 1
        parsed = parse(text, path)
        notes += [
            Note(p.path, p.line, p.col, p.code, "error", p.message, p.hint) for p in parsed.problems
        ]
        if parsed.policy is not None:
            linted = Linted(path, parsed.policy, text.decode("utf-8"))
            policies.append(linted)
            notes += lint(parsed.policy, linted.text, path)
    notes += lint_together(policies)
    return CheckReport(files, tuple(notes), tuple(policies))
