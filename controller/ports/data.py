"""Where data come from, what has arrived, and how the sources fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from controller.domain.snapshot import DataView


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One piece of data that a source saw, complete. ``uri`` + ``digest`` (or version) identify it.

    ``rows`` is None where counting was not possible; ``schema`` maps column to type name.
    """

    uri: str
    digest: str
    size: int
    rows: int | None
    schema: Mapping[str, str] = field(default_factory=dict)
    seen_at: datetime | None = None
    sequence: int = 0
    quarantined: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class DataCatalog(Protocol):
    """Which batches each model's source has brought, numbered in order of arrival."""

    def add(self, model: str, batches: Sequence[Batch], at: datetime) -> list[Batch]:
        """Number and keep the batches that are new; a known (uri, digest) is left out of the answer."""
        ...

    def batches(self, model: str, through: int | None = None) -> list[Batch]:
        """The data snapshot: of each uri the newest batch up to ``through`` that is not quarantined, oldest first."""
        ...

    def quarantined(self, model: str) -> list[Batch]:
        """The batches that are kept out of every snapshot, oldest first; each says why."""
        ...

    def view(self, model: str) -> DataView: ...

    def cursor(self, model: str) -> str | None: ...

    def set_cursor(self, model: str, cursor: str) -> None: ...

    def quarantine(self, model: str, sequence: int, reason: str) -> None:
        """Take a batch out of every later snapshot; an empty reason lets it in again."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """What a look at a source brought; ``cursor`` is where to go on. ``problems`` are sentences for ``doctor``.

    ``again`` says when the next look is worth while (a file is still being written, more is waiting); None: as usual.
    ``gone`` are URIs that are no part of a table any more: later snapshots must not hold them. A batch whose details
    name ``new_rows`` brings so many rows that were not there before (a table that was rewritten brings none).
    """

    batches: tuple[Batch, ...]
    cursor: str
    problems: tuple[str, ...] = ()
    again: timedelta | None = None
    gone: tuple[str, ...] = ()


class DataSource(Protocol):
    """A place where data arrive."""

    def poll(self, cursor: str | None) -> Poll:
        """What is there that ``cursor`` has not seen; a half-written file is not data yet."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """How a source fares. ``model`` is the first by name of those that read it.

    ``error`` is a sentence when the last look failed, ``problems`` are of the last look that succeeded; ``failures``
    counts failed looks in a row.
    """

    model: str
    source: str
    checked_at: datetime
    good_at: datetime | None = None
    error: str = ""
    failures: int = 0
    problems: tuple[str, ...] = ()


class SourceHints(Protocol):
    """Word from outside that something was written, until whoever polls has heard it."""

    def hint(self, models: Sequence[str], at: datetime) -> None:
        """Something came to the sources of these models; a later hint takes the place of an earlier one."""
        ...

    def hinted(self) -> Mapping[str, datetime]:
        """When the last hint came, by model."""
        ...


class SourceHealth(Protocol):
    """How each source fares, for ``doctor`` and ``status``."""

    def note(self, states: Sequence[SourceState]) -> None:
        """Keep the newest state of each of these sources."""
        ...

    def forget(self, keep: Sequence[str]) -> None:
        """Drop the states of all models but these."""
        ...

    def all(self) -> list[SourceState]:
        """Every state, by model."""
        ...
