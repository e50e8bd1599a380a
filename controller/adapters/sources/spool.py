"""Rows of a database written to Parquet files, without a library for Arrow: JSON lines that DuckDB turns into one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from controller.adapters.sources.formats import Meter, connect_reader, literal_path
from controller.ports import Batch

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (int, "BIGINT"),
    (float, "DOUBLE"),
    (Decimal, "DOUBLE"),
    (datetime, "TIMESTAMP"),
    (date, "DATE"),
    (time, "TIME"),
)
_LARGEST = 2**63 - 1


class Spool:
    """A folder of files that are named by their content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def begin(self) -> Iterator[Sheet]:
        """A sheet to write rows on; without ``close`` nothing of it stays."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".sheet-", dir=self._folder) as scratch:
            lines = Path(scratch, "rows.jsonl")
            with lines.open("w", encoding="utf-8") as stream:
                yield Sheet(self._folder, lines, stream)


class Sheet:
    """Rows of one batch."""

    def __init__(self, folder: Path, lines: Path, stream: IO[str]) -> None:
        self._folder, self._lines, self._stream = folder, lines, stream
        self._kinds: dict[str, set[str]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row."""
        for name, value in row.items():
            kinds = self._kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))
        plain = {name: _plain(value) for name, value in row.items()}
        self._stream.write(json.dumps(plain, ensure_ascii=False) + "\n")

    def types(self, before: Mapping[str, str]) -> dict[str, str]:
        """DuckDB's type of each column; one without any value keeps the type that it had."""
        return {
            **before,
            **{name: _type(kinds, before.get(name)) for name, kinds in self._kinds.items()},
        }

    def close(self, types: Mapping[str, str]) -> Path:
        """Write the file, whole or not at all; its path."""
        self._stream.flush()
        part = self._lines.with_name("rows.parquet")
        columns = {name: types[name] for name in self._kinds}
        fields = ", ".join(f"{_quote(name)}: {_quote(kind)}" for name, kind in columns.items())
        with connect_reader() as database:
            database.execute(
                f"COPY (SELECT * FROM read_json({_quote(literal_path(self._lines))}, "  # noqa: S608 - quoted
                f"format='newline_delimited', columns={{{fields}}}, maximum_object_size=16777216)) "
                f"TO {_quote(str(part))} (FORMAT parquet)"
            )
        with part.open("rb") as stream:
            name = hashlib.file_digest(stream, "sha256").hexdigest()[:24]
            os.fsync(stream.fileno())
        target = self._folder / f"{name}.parquet"
        part.replace(target)
        return target


def spooled_batch(path: Path, time: str | None) -> Batch:
    """A file of the spool as a batch; ``time`` is the column whose range is noted."""
    meter = Meter()
    try:
        measured = meter.measure(path, "parquet", path.name, time)
    finally:
        meter.close()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Batch(
        uri=str(path),
        digest=digest,
        size=path.stat().st_size,
        rows=measured.rows,
        schema=measured.schema,
        details=measured.details,
    )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _kind(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return "TIMESTAMPTZ"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return "DOUBLE"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "VARCHAR")


def _type(kinds: set[str], before: str | None) -> str:
    known = kinds | ({before} if before is not None else set())
    if not kinds:
        return before or "VARCHAR"
    if len(known) == 1:
        return known.pop()
    if known <= {"BIGINT", "DOUBLE", "BOOLEAN"}:
        return "DOUBLE"
    if len(kinds) == 1:
        return next(iter(kinds))
    return "VARCHAR"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else float(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return (
        json.dumps(value, default=str, ensure_ascii=False)
        if isinstance(value, (dict, list))
        else str(value)
    )
