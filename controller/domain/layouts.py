"""What a profile counts: the bins of each column, fixed once from the reference.

A layout is made from the reference data (``workers.profiles.layout``) and stored with the
snapshot and the model version. Every later batch is counted into the same bins, so profiles
add up and two of them can be compared without reading a file again. Standard library only:
the control plane and the page read layouts without numpy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from controller.domain.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYOUT_VERSION = 1
"""The version of the JSON form; raised when a field changes its meaning."""

HOURS = tuple(f"{hour:02d}h" for hour in range(24))
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ColumnKind(StrEnum):
    """How a column is counted."""

    NUMERIC = "numeric"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    OPAQUE = "opaque"
    """Nested, binary or otherwise not comparable: rows and nulls only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Cells of equal width that let an engine bin a number with one multiplication.

    Cell k is [low + k*step, low + (k+1)*step). ``step`` is a power of two and ``low`` a multiple
    of it, so the bounds are exact in binary and the same on every engine. ``atoms`` are values
    counted by equality; each lies on a cell's lower bound.
    """

    low: float
    step: float
    cells: int
    atoms: tuple[float, ...] = ()

    @property
    def high(self) -> float:
        """The upper bound of the last cell."""
        return self.low + self.step * self.cells


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnLayout:
    """The bins of one column.

    ``edges`` (numbers, and lengths of text): bin 0 is below edges[0], bin i is
    [edges[i-1], edges[i]), the last is at or above edges[-1]. ``edges[0]`` and ``edges[-1]`` are
    the 0.5 % and 99.5 % quantiles of the reference.
    ``categories``: one bin each; ``rare`` are values of the reference outside of them, which are
    counted as "other". ``rare_complete`` is False where there were too many to keep: then an
    unseen value cannot be told from a rare one.
    """

    name: str
    kind: ColumnKind
    type: str
    """The reference's SQL type, as DuckDB names it."""
    edges: tuple[float, ...] = ()
    grid: Grid | None = None
    discrete: bool = False
    """Few values, one at each edge: what is in a bin lies at its lower bound."""
    categories: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    rare_complete: bool = True
    set_aside: tuple[int, ...] = ()
    """For categories: how many of half of the reference's rows, drawn at random, lie in each bin, then
    in "other". Which values get a bin was chosen by this half. The chosen ones were lucky in it, so
    that it says nothing of their share: a comparison takes the other half (profile less this)."""
    singletons: int = 0
    """Values that the reference holds once. Their share of its rows is the mass to expect of values
    never seen before in rows that did not drift at all (Good and Turing)."""
    doubletons: int = 0
    """Values that it holds twice: they tell how sure that expectation is."""

    @property
    def bins(self) -> int:
        """How many ordinary bins the column has."""
        return len(self.edges) + 1 if self.edges else len(self.categories)

    def labels(self) -> tuple[str, ...]:
        """A name for each ordinary bin, for people."""
        if not self.edges:
            return self.categories
        marks = [f"{edge:.6g}" for edge in self.edges]
        middle = [
            f"= {low}" if low == high else f"{low} to {high}" for low, high in pairwise(marks)
        ]
        return (f"below {marks[0]}", *middle, f"{marks[-1]} and above")

    def to_json(self) -> dict[str, Any]:
        """The JSON form; fields at their default are left out."""
        found: dict[str, Any] = {"name": self.name, "kind": self.kind.value, "type": self.type}
        if self.edges:
            found["edges"] = list(self.edges)
        if self.grid is not None:
            found["grid"] = {
                "low": self.grid.low,
                "step": self.grid.step,
                "cells": self.grid.cells,
                "atoms": list(self.grid.atoms),
            }
        if self.discrete:
            found["discrete"] = True
        if self.categories:
            found["categories"] = list(self.categories)
        if self.rare:
            found["rare"] = list(self.rare)
        if not self.rare_complete:
            found["rare_complete"] = False
        if self.set_aside:
            found["set_aside"] = list(self.set_aside)
        if self.singletons or self.doubletons:
            found |= {"singletons": self.singletons, "doubletons": self.doubletons}
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The layout that ``to_json`` wrote."""
        grid = found.get("grid")
        return cls(
            name=found["name"],
            kind=ColumnKind(found["kind"]),
            type=found["type"],
            edges=tuple(map(float, found.get("edges", ()))),
            grid=grid
            and Grid(
                low=float(grid["low"]),
                step=float(grid["step"]),
                cells=int(grid["cells"]),
                atoms=tuple(map(float, grid["atoms"])),
            ),
            discrete=found.get("discrete", False),
            categories=tuple(found.get("categories", ())),
            rare=tuple(found.get("rare", ())),
            rare_complete=found.get("rare_complete", True),
            set_aside=tuple(map(int, found.get("set_aside", ()))),
            singletons=found.get("singletons", 0),
            doubletons=found.get("doubletons", 0),
        )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The bins of all columns, and how many rows of the reference they were made from."""

    columns: tuple[ColumnLayout, ...]
    rows: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: profiles of one digest may be added and compared."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def by_name(self) -> dict[str, ColumnLayout]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "version": LAYOUT_VERSION,
            "rows": self.rows,
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The layout that ``to_json`` wrote.

        Raises:
            IntegrityError: another version, or fields are missing or of a wrong type.
        """
        check_version(found, LAYOUT_VERSION, "layout")
        try:
            columns = tuple(ColumnLayout.from_json(column) for column in found["columns"])
            return cls(columns=columns, rows=int(found["rows"]))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the stored layout cannot be read: {error!r}") from error


def check_version(found: Mapping[str, Any], known: int, what: str) -> None:
    """Refuse a stored form that this release does not know.

    Raises:
        IntegrityError: ``found`` is no mapping or carries another version.
    """
    version = found.get("version") if hasattr(found, "get") else None
    if version != known:
        raise IntegrityError(
            f"the stored {what} has version {version!r}, this release reads version {known};",
            hint="make it again from the reference data.",
        )
