"""Checks rule files as a whole: problems of each, lints of each, and what only several files show together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from controller.rulefmt.lints import Linted, LintFinding, lint, lint_together
from controller.rulefmt.parse import parse
from controller.rulefmt.problems import Problem

Level = Literal["error", "danger", "advice"]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about a rule file: a problem (``error``) or a finding of a lint."""

    path: str
    line: int
    col: int
    code: str
    level: Level
    message: str
    hint: str = ""
    stops: str = ""
    silenced: str = ""

    def __str__(self) -> str:
        tail = f"; {self.hint}" if self.hint else ""
        return f"{self.path}:{self.line}:{self.col}: {self.message}{tail} [{self.code}]"

    def as_dict(self) -> dict[str, object]:
        """The note as plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


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
        notes += [_problem_note(problem) for problem in parsed.problems]
        if parsed.policy is not None:
            linted = Linted(path, parsed.policy, text.decode("utf-8"))
            policies.append(linted)
            notes += [_lint_note(f) for f in lint(parsed.policy, linted.text, path)]
    notes += [_lint_note(finding) for finding in lint_together(policies)]
    return CheckReport(files, tuple(notes), tuple(policies))


def _problem_note(problem: Problem) -> Note:
    return Note(
        problem.path,
        problem.line,
        problem.col,
        problem.code,
        "error",
        problem.message,
        problem.hint,
    )


def _lint_note(found: LintFinding) -> Note:
    return Note(
        found.path,
        found.line,
        found.col,
        found.lint,
        found.severity,
        found.message,
        found.hint,
        found.stops,
        found.silenced,
    )
