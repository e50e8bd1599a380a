"""Blocks of rows that depend on each other: days, groups, or runs of neighbours.

Rows of the same day share its weather. Taken as independent they promise a precision that
is not there, so wherever a time is known, whole days (or hours, or weeks) are resampled.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FEW_BLOCKS: Final = 30
"""Below this many blocks (or rows) a bootstrap is too narrow; Student's t is used instead."""

_UNITS: Final = ("D", "h", "m", "s")
_LEAST: Final = 5


def blocks_by_time(times: Any) -> npt.NDArray[np.int64]:
    """A block a row: calendar days (UTC) where there are at least five, else a finer unit.

    ``times`` is anything numpy reads as datetime64, or numbers that order the rows; numbers,
    and times within a few seconds, give runs of about ``n ** (1/3)`` neighbours in time.
    Raises `ValueError` for an unreadable time.
    """
    column = np.asarray(times)
    if column.dtype.kind == "O":
        column = np.array([_plain(value) for value in column])
    if column.dtype.kind in "OUS":
        column = column.astype("datetime64[us]")
    if column.dtype.kind == "M":
        if np.isnat(column).any():
            raise ValueError("some rows have no time")
        for unit in _UNITS:
            label = column.astype(f"datetime64[{unit}]").astype(np.int64)
            codes = np.unique(label, return_inverse=True)[1]
            if codes.max(initial=0) + 1 >= _LEAST:
                return np.asarray(codes, dtype=np.int64)
        column = column.astype("datetime64[us]").astype(np.int64)
    if not np.all(np.isfinite(column)):
        raise ValueError("some rows have no time")
    return runs_of_neighbours(column)


def runs_of_neighbours(order: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Consecutive runs of about the cube root of n rows, in the order of ``order``."""
    n = len(order)
    length = max(1, math.ceil(n ** (1.0 / 3.0)))
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(order, kind="stable")] = np.arange(n)
    return np.asarray(rank // length)


def _plain(value: Any) -> Any:
    """A datetime without its zone, in UTC, which is what numpy can hold."""
    offset = value.utcoffset() if hasattr(value, "utcoffset") else None
    return value.replace(tzinfo=None) - offset if offset is not None else value
