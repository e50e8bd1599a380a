"""Rows and columns of an Arrow IPC file from its footer, without a library for Arrow.

The control plane has no pyarrow (it is larger than all else together), and DuckDB reads Arrow files only through
an extension from the network. The footer is a FlatBuffer; these few tables of it are all we need.

Source: the Apache Arrow specification, "IPC File Format", with ``File.fbs``, ``Message.fbs`` and ``Schema.fbs``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from controller.adapters.sources.limits import Unreadable, check_columns, check_rows

ARROW_MAGIC = b"ARROW1"
LARGEST_FOOTER = 64 << 20
BLOCK = struct.Struct("<qi4xq")

_SIMPLE_TYPES = {
    1: '"NULL"',
    4: "BLOB",
    5: "VARCHAR",
    6: "BOOLEAN",
    8: "DATE",
    9: "TIME",
    11: "INTERVAL",
    15: "BLOB",
    18: "INTERVAL",
    19: "BLOB",
    20: "VARCHAR",
    23: "BLOB",
    24: "VARCHAR",
}
_NESTED_TYPES = {
    12: "LIST",
    13: "STRUCT",
    14: "UNION",
    16: "ARRAY",
    17: "MAP",
    21: "LIST",
    25: "LIST",
    26: "LIST",
}
_FLOATS = ("FLOAT", "FLOAT", "DOUBLE")  # half precision is read as single
_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}


@dataclass(frozen=True, slots=True)
class _Table:
    """A FlatBuffer table: ``place`` in ``data``; fields are found through its vtable."""

    data: bytes
    place: int

    def offset(self, field: int) -> int | None:
        vtable = self.place - _read("<i", self.data, self.place)
        entry = 4 + 2 * field
        if entry + 2 > _read("<H", self.data, vtable):
            return None
        found = _read("<H", self.data, vtable + entry)
        return self.place + found if found else None

    def number(self, field: int, form: str, default: int = 0) -> int:
        place = self.offset(field)
        return default if place is None else _read(form, self.data, place)

    def table(self, field: int) -> _Table | None:
        place = self.offset(field)
        return None if place is None else _Table(self.data, place + _read("<I", self.data, place))

    def vector(self, field: int) -> tuple[int, int]:
        """Where the vector's items begin, and how many there are."""
        place = self.offset(field)
        if place is None:
            return 0, 0
        start = place + _read("<I", self.data, place)
        return start + 4, _read("<I", self.data, start)

    def text(self, field: int) -> str:
        start, length = self.vector(field)
        return self.data[start : start + length].decode()


def _read(form: str, data: bytes, place: int) -> int:
    if place < 0:
        raise Unreadable("its footer is damaged")
    return int(struct.unpack_from(form, data, place)[0])


def _root(data: bytes) -> _Table:
    return _Table(data, _read("<I", data, 0))


def check_footer(stream: BinaryIO) -> None:
    """Raise :class:`Unreadable` unless ``stream`` holds a whole Arrow file."""
    _footer(stream)


def _footer(stream: BinaryIO) -> bytes:
    size = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(6) != ARROW_MAGIC:
        raise Unreadable("it does not begin as an Arrow file does")
    stream.seek(max(0, size - 10))
    tail = stream.read(10)
    length = int.from_bytes(tail[:4], "little", signed=True)
    if tail[4:] != ARROW_MAGIC or not 0 < length <= min(size - 18, LARGEST_FOOTER):
        raise Unreadable("its Arrow footer is missing, so it was cut or is still being written")
    stream.seek(size - 10 - length)
    return stream.read(length)


def read(path: Path) -> tuple[int, Mapping[str, str]]:
    """Number of rows, and each column's type in DuckDB's words; raises :class:`Unreadable`."""
    try:
        with path.open("rb") as stream:
            footer = _root(_footer(stream))
            start, count = footer.vector(3)
            size = stream.seek(0, 2)
            if 24 * count > size:
                raise Unreadable("its Arrow footer is damaged")
            blocks = [BLOCK.unpack_from(footer.data, start + 24 * i) for i in range(count)]
            if sum(length for _, length, _ in blocks) > size:
                raise Unreadable("its Arrow footer names more bytes than the file has")
            counted = [_batch_rows(stream, place, length) for place, length, _ in blocks]
            check_rows(sum(counted), sum(map(abs, counted)), size)
            return sum(counted), _columns(footer.table(1))
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise Unreadable("its Arrow footer is damaged") from error


def _batch_rows(stream: BinaryIO, place: int, length: int) -> int:
    if place < 0 or not 8 < length <= LARGEST_FOOTER:
        raise Unreadable("its Arrow footer is damaged")
    stream.seek(place)
    data = stream.read(length)
    skip = (
        8 if data[:4] == b"\xff\xff\xff\xff" else 4
    )  # files before Arrow 0.15 have no continuation mark
    message = _root(data[skip:])
    batch = message.table(2)
    if message.number(1, "<B") != 3 or batch is None:
        raise Unreadable("its Arrow footer points to something that is no record batch")
    return batch.number(0, "<q")


def _columns(schema: _Table | None) -> dict[str, str]:
    if schema is None:
        raise Unreadable("its Arrow footer has no schema")
    start, count = schema.vector(1)
    check_columns(count)
    columns = {}
    for i in range(count):
        place = start + 4 * i
        field = _Table(schema.data, place + _read("<I", schema.data, place))
        columns[field.text(0)] = _type_name(field)
    return columns


def _type_name(field: _Table) -> str:
    kind, detail = field.number(2, "<B"), field.table(3)
    if kind in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[kind]
    if kind in _NESTED_TYPES or detail is None:
        return _NESTED_TYPES.get(kind, "UNKNOWN")
    if kind == 2:
        name = _INTEGERS.get(detail.number(0, "<i"), "UNKNOWN")
        return name if detail.number(1, "<B") else f"U{name}"
    if kind == 3:
        return _FLOATS[min(detail.number(0, "<h"), 2)]
    if kind == 7:
        return f"DECIMAL({detail.number(0, '<i')},{detail.number(1, '<i')})"
    if kind == 10:
        return "TIMESTAMP WITH TIME ZONE" if detail.text(1) else "TIMESTAMP"
    return "UNKNOWN"
