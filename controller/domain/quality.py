"""What a batch broke: the result of its expectations, and how its schema changed. Standard library only.

A batch that breaks an expectation is quarantined: it trains nothing until a person releases it. The
result therefore carries what a person needs to decide: how many rows, and a few of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One expectation held against a batch. A check that could not be computed has not passed.

    ``failing`` is the number of rows that break it (None where it is a property of the batch), and
    ``examples`` are up to five of them: column to value, as text. ``line`` is that of the policy.
    """

    column: str | None
    check: str
    expected: str
    passed: bool
    message: str
    rows: int
    failing: int | None = None
    examples: tuple[Mapping[str, str | None], ...] = ()
    line: int = 0


class SchemaChangeKind(StrEnum):
    """How a column differs from the reference."""

    ADDED = "added"
    REMOVED = "removed"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaChange:
    """``harmless`` changes are those between types that are counted alike (INTEGER to BIGINT)."""

    kind: SchemaChangeKind
    column: str
    before: str | None
    after: str | None
    harmless: bool

    def sentence(self) -> str:
        """For people."""
        match self.kind:
            case SchemaChangeKind.ADDED:
                return f"the column {self.column!r} ({self.after}) is new"
            case SchemaChangeKind.REMOVED:
                return f"the column {self.column!r} ({self.before}) is missing"
            case SchemaChangeKind.TYPE_CHANGED:
                return f"the column {self.column!r} changed from {self.before} to {self.after}"
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityReport:
    """All checks of a batch. It passes if each check does; schema changes are a signal of their own."""

    passed: bool
    rows: int
    results: tuple[CheckResult, ...]
    schema_changes: tuple[SchemaChange, ...] = ()

    @property
    def broken(self) -> Sequence[CheckResult]:
        """The checks that did not pass."""
        return [result for result in self.results if not result.passed]
