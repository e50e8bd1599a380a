"""What a file says of itself: is it whole, how many rows, which columns, from when to when.

A half-written file is not data. Each format has its own rule for *whole*:

========== ==========================================================================================
parquet    ``PAR1`` at both ends and a footer that lies inside the file
arrow      ``ARROW1`` at both ends (the file format; a stream, or Feather version 1, is not taken)
csv, tsv   the last byte is a line feed; the first line names the columns
jsonl      the last byte is a line feed (a ``.json`` file that holds one array must end with ``]``)
========== ==========================================================================================

``.gz`` after csv, tsv, jsonl or json is read through, and the same rule holds inside. A line format has no footer,
so :mod:`controller.adapters.sources.files` waits until such a file rests as well.
:mod:`controller.adapters.sources.limits` bounds what a file may say of itself and unpack to.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from controller.adapters.sources import arrow_footer, json_rows, parquet_footer
from controller.adapters.sources.limits import (
    LONGEST,
    MOST_FOOTER,
    MOST_ROW,
    Unreadable,
    check_columns,
    check_rows,
    check_unpacked,
)
from controller.domain.canonical import format_time

if TYPE_CHECKING:
    import duckdb

FORMAT_BY_SUFFIX: Mapping[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
"""Which format a file's ending means."""

SETTLING = frozenset({"csv", "jsonl"})
"""Formats whose end cannot be seen in the file, so that it must rest before it counts."""

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_OWN_COUNT = "it holds no table"


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredFile:
    """Rows, columns with their types (DuckDB's names), and the range of the time column if it has one."""

    rows: int
    schema: Mapping[str, str]
    details: Mapping[str, Any] = field(default_factory=dict)


def is_ignored(name: str) -> bool:
    """Whether ``name`` is hidden or temporary: it begins with a dot or underscore, or ends like ``.tmp``."""
    return name.startswith((".", "_")) or name.lower().endswith(UNFINISHED)


def format_of(name: str) -> str | None:
    """The format that the ending of ``name`` means; None if it means none."""
    lower = name.lower()
    zipped = lower.endswith(".gz")
    ending = Path(lower.removesuffix(".gz")).suffix
    found = FORMAT_BY_SUFFIX.get(ending)
    return None if zipped and found not in SETTLING else found


def check_whole(path: Path, kind: str, name: str) -> None:
    """Raise :class:`Unreadable` unless the file at ``path`` is whole. ``name`` is what it is called."""
    with path.open("rb") as stream:
        if kind == "parquet":
            _check_parquet(stream)
        elif kind == "arrow":
            arrow_footer.check_footer(stream)
        elif name.lower().endswith(".gz"):
            _check_line_end(_last_byte_unzipped(path), name)
        else:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - 1))
            _check_line_end(stream.read(1), name, _first_byte(stream))


def _check_parquet(stream: BinaryIO) -> None:
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(4)
    stream.seek(max(0, size - 8))
    tail = stream.read(8)
    if head == b"PARE" or tail[4:] == b"PARE":
        raise Unreadable("its footer is encrypted and the control plane holds no keys")
    if head != b"PAR1":
        raise Unreadable("it does not begin as a Parquet file does")
    footer = int.from_bytes(tail[:4], "little")
    if size < 12 or tail[4:] != b"PAR1" or footer + 12 > size:
        raise Unreadable("its Parquet footer is missing, so it was cut or is still being written")
    if footer > MOST_FOOTER:
        raise Unreadable(f"its footer has {footer:,} bytes, at most {MOST_FOOTER:,} are read")
    stream.seek(size - 8 - footer)
    parquet_footer.check_footer(stream.read(footer))


def _first_byte(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read(1)


def _last_byte_unzipped(path: Path) -> bytes:
    last, size, packed = b"", 0, path.stat().st_size
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                last = chunk[-1:]
                size += len(chunk)
                check_unpacked(size, packed)
    except (EOFError, zlib.error, OSError) as error:
        raise Unreadable("its gzip stream ends too early or is damaged") from error
    return last


def _check_line_end(last: bytes, name: str, first: bytes = b"") -> None:
    if not last:
        raise Unreadable("it is empty")
    if first == b"[" and ".json" in name.lower() and last == b"]":
        return
    if last != b"\n":
        raise Unreadable("its last line has no line feed, so it may still be growing")


# --- rows, columns, time ------------------------------------------------------------------------------------


class Meter:
    """Measures files with one small database in memory, opened when the first file needs it."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None

    def measure(self, path: Path, kind: str, name: str, time: str | None) -> MeasuredFile:
        """Read what ``path`` holds; raises :class:`Unreadable` with one sentence if that fails."""
        if kind == "arrow":
            rows, schema = arrow_footer.read(path)
            return MeasuredFile(rows=rows, schema=schema, details={"format": kind})
        import duckdb

        if self._connection is None:
            self._connection = connect_reader()
        try:
            with bounded(self._connection):
                return _measure_with(self._connection, path, kind, name, time)
        except duckdb.InterruptException as error:
            raise Unreadable(f"reading it took longer than {LONGEST:g} seconds") from error
        except duckdb.Error as error:
            raise Unreadable(first_sentence(error)) from error

    def close(self) -> None:
        """Give the memory back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def connect_reader() -> duckdb.DuckDBPyConnection:
    """A small database in memory that loads nothing from elsewhere."""
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "threads": "1",
            "memory_limit": "512MB",
            "temp_directory": "",
        },
    )


@contextmanager
def bounded(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block a statement is ended after :data:`LONGEST` seconds (duckdb.InterruptException)."""
    timer = Timer(LONGEST, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _measure_with(
    connection: duckdb.DuckDBPyConnection, path: Path, kind: str, name: str, time: str | None
) -> MeasuredFile:
    reader, values = _reader(path, kind, name)
    if kind == "parquet":
        check_columns(_one(connection, "SELECT count(*) FROM parquet_schema(?)", values))
    # S608: `reader` is one of four fixed texts; the path and the delimiter are parameters.
    described = connection.execute(
        f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {reader})",  # noqa: S608
        values,
    ).fetchall()
    schema = {str(column): str(kind_) for column, kind_ in described}
    if not schema:
        raise Unreadable(NO_OWN_COUNT)
    check_columns(len(schema))
    rows = _count(connection, path, kind, reader, values)
    details: dict[str, Any] = {"format": kind}
    if time is not None and time in schema and rows:
        details.update(time_range(connection, reader, values, time, schema[time]))
    return MeasuredFile(rows=rows, schema=schema, details=details)


def _reader(path: Path, kind: str, name: str) -> tuple[str, list[str]]:
    """The table function for a file, with its parameters."""
    place = literal_path(path)
    if kind == "parquet":
        return "read_parquet(?)", [place]
    if kind == "jsonl":
        with _opened(path, name) as stream:
            json_rows.check_width(stream)
        return f"read_json(?, maximum_object_size={MOST_ROW})", [place]
    return "read_csv(?, header=true, quote='\"', escape='\"', delim=?)", [
        place,
        delimiter_of(path, name),
    ]


def _opened(path: Path, name: str) -> BinaryIO:
    """The text of a file, unpacked where it is packed."""
    return cast("BinaryIO", (gzip.open if name.lower().endswith(".gz") else open)(path, "rb"))


def literal_path(path: Path) -> str:
    """``path`` so that DuckDB takes it as one file, whatever ``*``, ``?`` or ``[`` is in its name."""
    text = str(path)
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


def delimiter_of(path: Path, name: str) -> str:
    """The sign among ``, ; tab |`` that the first line has most of; left to DuckDB, ragged lines pass as one column."""
    if ".tsv" in name.lower():
        return "\t"
    with _opened(path, name) as stream:
        line = stream.readline(1 << 20)
    if not line.strip():
        raise Unreadable("its first line names no columns")
    sign = max((b",", b";", b"\t", b"|"), key=line.count)
    check_columns(line.count(sign) + 1)
    return sign.decode()


def _count(
    connection: duckdb.DuckDBPyConnection, path: Path, kind: str, reader: str, values: list[str]
) -> int:
    if kind != "parquet":
        return _one(connection, f"SELECT count(*) FROM {reader}", values)  # noqa: S608
    rows = _one(connection, "SELECT num_rows FROM parquet_file_metadata(?)", values)
    groups = (
        "SELECT any_value(row_group_num_rows) AS n FROM parquet_metadata(?) GROUP BY row_group_id"
    )
    held = _one(connection, f"SELECT sum(n) FROM ({groups})", values)  # noqa: S608
    check_rows(rows, held, path.stat().st_size)
    return rows


def _one(connection: duckdb.DuckDBPyConnection, query: str, values: list[str]) -> int:
    """The number that a query gives; 0 where it gives none."""
    found = connection.execute(query, values).fetchone()
    return int(found[0] or 0) if found else 0


def time_range(
    connection: duckdb.DuckDBPyConnection, reader: str, values: list[str], time: str, kind: str
) -> dict[str, str]:
    """First and last moment of the column ``time`` as ISO texts; a time without a zone is taken as UTC."""
    column = '"' + time.replace('"', '""') + '"'
    if kind == "VARCHAR":
        column = f"try_cast({column} AS TIMESTAMPTZ)"
    elif kind not in {"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        column = f"try_cast({column} AS TIMESTAMP)"
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(
        f"SELECT epoch_us(min(moment)), epoch_us(max(moment)) "  # noqa: S608
        f"FROM (SELECT {column} AS moment FROM {reader}) WHERE isfinite(moment)",
        values,
    ).fetchone()
    names = ("time_min", "time_max")
    pairs = zip(names, found or (), strict=False)
    return {name: iso(value) for name, value in pairs if value is not None}


def iso(microseconds: int) -> str:
    """Microseconds since 1970 as an ISO text in UTC."""
    return format_time(EPOCH + timedelta(microseconds=microseconds))


def first_sentence(error: Exception) -> str:
    """DuckDB's message of many lines as one that fits a status line."""
    lines = [line.strip() for line in str(error).splitlines()]
    if any("detect the CSV parsing dialect" in line for line in lines):
        return "its lines do not have the columns that the first line names"
    telling = [line for line in lines if line.startswith(("Expected Number", "Invalid unicode"))]
    text = ", ".join([line for line in lines if line][:1] + telling)
    text = text.partition(": ")[2] or text
    return (text if len(text) <= 200 else text[:199] + "…").rstrip(".:") or type(error).__name__
