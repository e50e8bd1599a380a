"""The outbox in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.adapters.memory.tables import KeptLetter, Tables
from controller.domain.canonical import to_plain
from controller.ports import FARTHEST, Letter


def finish_message(tables: Tables, topic: str, key: str) -> None:
    """The letter of that key, if there is one, has arrived for good."""
    letter = tables.letter_keys.get((topic, key))
    if letter is not None:
        tables.letters[letter] = replace(tables.letters[letter], acknowledged=True)
        tables.undelivered.pop(letter)


class MemoryOutbox:
    """Letters by id; ``now`` is the store's clock."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    def put(self, topic: str, key: str, payload: Mapping[str, Any]) -> None:
        if (topic, key) in self._tables.letter_keys:
            return
        number = len(self._tables.letters) + 1
        letter = Letter(
            id=number,
            topic=topic,
            key=key,
            payload=to_plain(payload),
            attempts=0,
            due_at=self._now,
        )
        self._tables.letters[number] = KeptLetter(letter=letter)
        self._tables.letter_keys[topic, key] = number
        self._tables.undelivered[number] = None

    def due(self, topic: str, limit: int = 100) -> list[Letter]:
        waiting = [
            letter
            for letter in self._waiting()
            if letter.topic == topic and not self._now < letter.due_at <= self._now + FARTHEST
        ]
        return sorted(waiting, key=lambda letter: (letter.due_at, letter.id))[:limit]

    def postpone(self, letter: int, delay: timedelta, error: str = "") -> None:
        kept = self._tables.letters.get(letter)
        if kept is None or kept.acknowledged:
            return
        changed = replace(
            kept.letter,
            attempts=kept.letter.attempts + 1,
            due_at=self._now + delay,
            last_error=error,
        )
        self._tables.letters[letter] = replace(kept, letter=changed)

    def hasten(self, topic: str) -> None:
        for letter in self._waiting():
            if letter.topic == topic and letter.due_at > self._now:
                kept = self._tables.letters[letter.id]
                changed = replace(letter, due_at=self._now)
                self._tables.letters[letter.id] = replace(kept, letter=changed)

    def acknowledge(self, letter: int) -> None:
        kept = self._tables.letters.get(letter)
        if kept is not None:
            self._tables.letters[letter] = replace(kept, acknowledged=True)
            self._tables.undelivered.pop(letter)

    def failing(self, limit: int = 100) -> list[Letter]:
        return [letter for letter in self._waiting() if letter.last_error][:limit]

    def depth(self) -> Mapping[str, int]:
        return dict(Counter(letter.topic for letter in self._waiting()))

    def _waiting(self) -> list[Letter]:
        return [self._tables.letters[number].letter for number in self._tables.undelivered]
