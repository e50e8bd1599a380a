"""How wide the rows of a JSON file are, before DuckDB infers a column from every name in them.

It takes a row of 900,000 names for one map, after minutes and a gigabyte. Names are counted as text: a text that quotes
names counts too, and a row with ten thousand of either is no row of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from controller.adapters.sources.limits import MOST_COLUMNS, MOST_ROW, Unreadable

_NAME = re.compile(rb'"\s*:')
_NARROW = 4 * MOST_COLUMNS
"""Bytes; ten thousand names need more."""
_PART = 1 << 20


def check_width(stream: BinaryIO) -> None:
    """Unreadable if a row has more bytes or more names than are read. Rows are lines, or the objects of one array."""
    first = stream.read(1)
    mark = b"}" if first == b"[" else b"\n"
    for row in _pieces(stream, mark):
        _check_size(len(row))
        if len(row) > _NARROW and sum(1 for _ in _NAME.finditer(row)) > MOST_COLUMNS:
            raise Unreadable(
                f"a row of it has more than {MOST_COLUMNS:,} names, at most {MOST_COLUMNS:,} columns are read"
            )


def _pieces(stream: BinaryIO, mark: bytes) -> Iterator[bytes]:
    """What lies between marks, where that is long enough to matter."""
    rest: list[bytes] = []
    size = 0
    while part := stream.read(_PART):
        head, found, tail = part.partition(mark)
        rest.append(head)
        size += len(head)
        if found:
            yield b"".join(rest)
            *whole, last = tail.split(mark)
            yield from whole
            rest, size = [last], len(last)
        _check_size(size)
    yield b"".join(rest)


def _check_size(size: int) -> None:
    if size > MOST_ROW:
        raise Unreadable(f"a row of it has more than {MOST_ROW:,} bytes")
