"""Keeps how sources fare in the database, without writing at every look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from controller.ports import SourceState, Store

REMINDER = timedelta(minutes=1)
"""An unchanged state is written again after this long, so that ``doctor`` sees that somebody still looks."""


class KeptHealth:
    """A :class:`~controller.ports.SourceHealth` over the store, for a process that looks often."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: dict[str, SourceState] = {}

    def note(self, states: Sequence[SourceState]) -> None:
        changed = [state for state in states if self._is_news(state)]
        if not changed:
            return
        with self._store.begin() as tx:
            tx.sources.note(changed)
        self._written |= {state.model: state for state in changed}

    def _is_news(self, state: SourceState) -> bool:
        before = self._written.get(state.model)
        return (
            before is None
            or not _same(before, state)
            or state.checked_at - before.checked_at >= REMINDER
        )

    def forget(self, keep: Sequence[str]) -> None:
        with self._store.begin() as tx:
            tx.sources.forget(keep)
        self._written = {m: state for m, state in self._written.items() if m in keep}

    def all(self) -> list[SourceState]:
        with self._store.read() as tx:
            return tx.sources.all()


def _same(one: SourceState, other: SourceState) -> bool:
    """Whether both say the same, apart from when. Failures come ever more rarely, so each may be written."""
    return replace(one, checked_at=other.checked_at, good_at=other.good_at) == other
