"""Narrows a decision that fails to the signals that cause it, by trying.

Every signal that fails alone is found by halving: few tries where few are bad. Where none fails alone, a smallest set
that fails together is found as QuickXplain does (Junker, AAAI 2004), and one of it is blamed: rather what the world
brought than what a person wants, rather the later one. What is tried changes nothing, and the same signals give the
same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.domain.errors import IncumbentError
from controller.domain.signals import CAUSES, Signal

Try = Callable[[frozenset[int]], Exception | None]
"""Decides with these signals alone and takes it back; what went wrong, None if nothing did."""

MOST_TRIES = 64
"""Tries for one model in one tick: it must not keep the loop to itself. What is left is found in the next tick."""
_LONGEST = 300


class Narrowing:
    """One search. ``found`` maps the ids of the signals to blame to what they cause, in a sentence."""

    def __init__(self, attempt: Try, tries: int = MOST_TRIES) -> None:
        self._attempt = attempt
        self.tries = tries
        self.found: dict[int, str] = {}

    def search(self, signals: Sequence[Signal]) -> None:
        """Find the signals to blame among ``signals``; none if they do not fail, or the tries are used up."""
        error = self._fails(signals)
        if error is None:
            return
        if len(signals) == 1:
            self.found[signals[0].id] = sentence_of(error)
            return
        before, middle = len(self.found), len(signals) // 2
        self.search(signals[:middle])
        self.search(signals[middle:])
        if len(self.found) == before:
            self._blame_together(signals)

    def _blame_together(self, signals: Sequence[Signal]) -> None:
        needed: list[Signal] = []
        rest = list(signals)
        while rest and self.tries:
            passes, fails = 0, len(rest)
            while fails - passes > 1:
                middle = (passes + fails) // 2
                if self._fails([*needed, *rest[:middle]]) is None:
                    passes = middle
                else:
                    fails = middle
            needed.append(rest[fails - 1])
            rest = rest[:passes]
            error = self._fails(needed)
            if error is not None:
                blamed = max(needed, key=lambda signal: (signal.kind in CAUSES, signal.id))
                self.found[blamed.id] = sentence_of(error)
                return

    def _fails(self, signals: Sequence[Signal]) -> Exception | None:
        if not self.tries:
            return None
        self.tries -= 1
        return self._attempt(frozenset(signal.id for signal in signals))


def sentence_of(error: Exception) -> str:
    """What went wrong in one line that can be stored and shown, whatever the error quotes."""
    said = (
        error.sentence()
        if isinstance(error, IncumbentError)
        else f"{type(error).__name__}: {error}".removesuffix(": ")
    )
    clean = "".join(letter if letter.isprintable() else "\ufffd" for letter in said[: _LONGEST + 1])
    return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST - 1]}…"
