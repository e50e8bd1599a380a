"""What is wrong with a rules file, where, and what to write instead.

Everything that reads YAML here reports into one :class:`Problems`, so that a person who made five mistakes
sees five sentences at once and not one after the other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

MOST_LISTED_PROBLEMS = 100
"""After so many problems of one file the rest is only counted: a hostile file must not cost a long answer."""

_LONGEST_QUOTE = 60
_LONGEST_GUESS = 64
_LONGEST_SENTENCE = 600


class Placed(Protocol):
    """Anything that has a place in a text: 1-based line and column."""

    @property
    def line(self) -> int: ...
    @property
    def col(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Position:
    """A line and a column, both 1-based."""

    line: int = 1
    col: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``code`` is stable and kebab-case; ``hint`` says what to write instead (or is empty)."""

    path: str
    line: int
    col: int
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f"; {self.hint}" if self.hint else ""
        return f"{self.path}:{self.line}:{self.col}: {self.message}{tail}"

    def as_dict(self) -> dict[str, object]:
        """The problem as plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


Level = Literal["error", "danger", "advice"]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about a rule file: a problem (``error``) or a finding of a lint.

    ``stops`` says which failure the lint stops; ``silenced`` is the reason that the team gave, or empty.
    """

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


@dataclass(slots=True)
class Problems:
    """Collects the problems of one file, up to :data:`MOST_LISTED_PROBLEMS`."""

    path: str
    found: list[Problem] = field(default_factory=list)
    unlisted: int = 0

    def add(self, at: Placed, code: str, message: str, hint: str = "") -> None:
        """Note one problem at a node or place."""
        if self.full:
            self.unlisted += 1
            return
        found = Problem(self.path, at.line, at.col, code, _one_line(message), _one_line(hint))
        self.found.append(found)

    @property
    def count(self) -> int:
        """How many there are, listed or not."""
        return len(self.found) + self.unlisted

    @property
    def full(self) -> bool:
        """True when further problems are only counted."""
        return len(self.found) >= MOST_LISTED_PROBLEMS

    def sorted(self) -> tuple[Problem, ...]:
        """All problems in the order of the text; the last one says how many were left out."""
        listed = sorted(self.found, key=lambda p: (p.line, p.col))
        if self.unlisted:
            last = listed[-1]
            message = f"{self.unlisted} more problems are not listed"
            listed.append(Problem(self.path, last.line, last.col, "too-many-problems", message))
        return tuple(listed)


def _one_line(text: str) -> str:
    """What a hint repeats of the file must neither end the line nor fill the screen."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
    return f"{shown[:_LONGEST_SENTENCE]}…" if len(shown) > _LONGEST_SENTENCE else shown


def quoted(text: str) -> str:
    """Text for a message: on one line, in backquotes, cut to a readable length."""
    shown = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return f"`{shown[:_LONGEST_QUOTE]}…`" if len(shown) > _LONGEST_QUOTE else f"`{shown}`"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the nearest known word, or an empty string if none is near."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if any is near."""
    if len(word) > _LONGEST_GUESS:
        return None
    folded = {k.lower().replace("-", "_"): k for k in known}
    anagram = next((k for f, k in folded.items() if sorted(f) == sorted(word.lower())), None)
    if anagram:  # two letters that changed places, where the nearest word might be a shorter one
        return anagram
    near = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def one_of(words: Iterable[str]) -> str:
    """The words as a list for people: ``a, b or c``."""
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"
