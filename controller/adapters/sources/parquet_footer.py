"""What a Parquet footer asks its reader to hold, before a reader is asked: Thrift's compact protocol, walked through.

A list begins with how many parts it has, and a reader makes room for all of them at once: 50 bytes that name four
million columns cost DuckDB three gigabytes, and 2^31 of them the machine. Here nothing is kept but the counts.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from controller.adapters.sources.limits import MOST_NESTED, Unreadable, check_parts

_TRUE, _FALSE, _BYTE, _SHORT, _INT, _LONG, _DOUBLE = 1, 2, 3, 4, 5, 6, 7
_BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 8, 9, 10, 11, 12, 13
_VARIED = frozenset({_SHORT, _INT, _LONG})
_FIXED = {_BYTE: 1, _DOUBLE: 8, _UUID: 16}
_COSTLY = 2
"""Down to this level (tables, groups of rows, their columns) a reader holds hundreds of bytes for each part."""
_MANY = 15
"""In a list's first byte: the number of its parts follows."""


def check_footer(footer: bytes) -> None:
    """Unreadable if the footer names more parts than any table has, more than it has bytes, or is nested without end.

    A footer that ends too early is left to its reader, who says where.
    """
    try:
        _Walk(footer).struct(0)
    except IndexError:
        return


class _Walk:
    """One pass. IndexError where the bytes end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._parts = 0

    def struct(self, depth: int) -> None:
        if depth > MOST_NESTED:
            raise Unreadable(f"its footer is nested more than {MOST_NESTED} levels deep")
        while head := self._byte():
            if not head >> 4:
                self._number()  # the field's own number, where it is far from the one before
            kind = head & 15
            if kind not in {_TRUE, _FALSE}:  # of a field they are the value itself
                self._value(kind, depth + 1)

    def _value(self, kind: int, depth: int) -> None:
        if kind in _VARIED:
            self._number()
        elif kind == _BINARY:
            self._skip(self._number())
        elif kind in {_LIST, _SET}:
            self._list(depth)
        elif kind == _MAP:
            self._map(depth)
        elif kind == _STRUCT:
            self.struct(depth)
        else:
            self._skip(_FIXED.get(kind, 1))

    def _list(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4
        self._repeat(self._number() if count == _MANY else count, (head & 15,), depth)

    def _map(self, depth: int) -> None:
        count = self._number()
        kinds = self._byte() if count else 0
        self._repeat(count, (kinds >> 4, kinds & 15), depth)

    def _repeat(self, count: int, kinds: tuple[int, ...], depth: int) -> None:
        self._parts += count if depth <= _COSTLY else 0
        check_parts(count, len(self._content) - self._at, self._parts)
        for _ in range(count):
            for kind in kinds:
                self._value(kind, depth)

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._content):
            raise IndexError

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _number(self) -> int:
        found = shift = 0
        while (part := self._byte()) > 127:
            found |= (part & 127) << shift
            shift += 7
            if shift > 63:
                raise Unreadable("its footer holds a number that no table needs")
        return found | part << shift
