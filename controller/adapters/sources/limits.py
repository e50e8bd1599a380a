"""What one file may hold and unpack to: what it says may be a lie, and a small one may unpack to terabytes."""

from __future__ import annotations

MOST_COLUMNS = 10_000
MOST_ROW = 16 << 20
"""Bytes of one row of a JSON file."""
MOST_UNPACKED = 200
"""How many times its own size a compressed text may unpack to; gzip makes 5 to 20 of the rows of a table."""
MOST_ROWS = 1000
"""How many rows a byte of a file may stand for; columns of one value come to some hundreds."""
MOST_FOOTER = 16 << 20
"""Bytes of a Parquet footer; ten thousand columns in ten groups of rows come to a half of it."""
MOST_PARTS = 500_000
"""Columns of all groups of a Parquet footer; its reader holds up to 700 bytes for each."""
MOST_NESTED = 32
"""Levels of a Parquet footer; the format has eight."""
SMALL = 64 << 20
"""Rows, or bytes unpacked, that any file may have, however small it is."""
LONGEST = 600.0
"""Seconds that one file may be read."""


class Unreadable(Exception):
    """The file cannot be read as its format; the message completes "FILE is not data: …"."""


def check_columns(columns: int) -> None:
    """Unreadable if there are too many."""
    if columns > MOST_COLUMNS:
        raise Unreadable(f"it has {columns:,} columns, at most {MOST_COLUMNS:,} are read")


def check_rows(rows: int, held: int, size: int) -> None:
    """Unreadable if the rows of a footer are not those of its parts, or more than ``size`` bytes can hold."""
    if rows != held:
        raise Unreadable(f"its footer names {rows:,} rows, and its parts hold {held:,}")
    if not 0 <= rows <= max(SMALL, MOST_ROWS * size):
        raise Unreadable(f"its footer names {rows:,} rows, which a file of its size cannot hold")


def check_parts(count: int, left: int, all_of_them: int) -> None:
    """Unreadable if a list of ``count`` parts cannot lie in the ``left`` bytes of a footer, or there are too many."""
    if count > left:
        raise Unreadable(f"its footer names {count:,} parts where only {left:,} bytes follow")
    if all_of_them > MOST_PARTS:
        raise Unreadable(f"its footer has more than {MOST_PARTS:,} parts")


def check_unpacked(size: int, packed: int) -> None:
    """Unreadable if ``packed`` bytes unpacked to more than the rows of a table do."""
    if size > max(SMALL, MOST_UNPACKED * packed):
        raise Unreadable(f"it unpacks to more than {MOST_UNPACKED} times its size")
