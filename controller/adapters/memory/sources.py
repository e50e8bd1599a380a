"""Sources of data and rules that a test or a replay fills by hand."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from controller.domain.errors import NotFound, Unavailable, UserError
from controller.ports import Batch, Poll, RevisionTexts, RuleText


class MemoryDataSource:
    """Batches in the order they were put in; the cursor is how many have been seen."""

    def __init__(self, batches: Sequence[Batch] = ()) -> None:
        self._lock = threading.Lock()
        self._batches = list(batches)
        self.problems: tuple[str, ...] = ()
        self.broken = ""
        """Why it does not answer; empty while it does."""

    def arrive(self, *batches: Batch) -> None:
        """New data is there."""
        with self._lock:
            self._batches.extend(batches)

    def poll(self, cursor: str | None) -> Poll:
        if self.broken:
            raise Unavailable(self.broken)
        with self._lock:
            seen = int(cursor or "0")
            return Poll(
                batches=tuple(self._batches[seen:]),
                cursor=str(len(self._batches)),
                problems=self.problems,
            )


class MemoryRevisions:
    """Revisions by name, for looking at."""

    def __init__(self, held: Mapping[str, RevisionTexts]) -> None:
        self.held = dict(held)

    def at(self, name: str, known: Collection[str] = ()) -> RevisionTexts:
        if not name.strip():
            raise UserError("A revision needs a name.")
        found = self.held.get(name.strip())
        if found is None:
            raise NotFound(f"There is no revision {name}.")
        texts = [replace(text, text="") if text.blob in known else text for text in found.texts]
        return replace(found, texts=tuple(texts))


class MemoryRules:
    """The rule texts that were last set."""

    def __init__(self, texts: Sequence[RuleText] = ()) -> None:
        self.texts = list(texts)

    def read(self) -> list[RuleText]:
        return list(self.texts)
